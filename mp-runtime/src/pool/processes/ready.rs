//! What a worker does before its first task, and after its last.

use std::io::{self, Write};

use super::{
    entry::Kind,
    tags,
    worker::{Worker, cut},
};
use crate::{
    codec::{Decoder, Encoder, HEADER, Message},
    error::{Error, Result},
    process::{Can, Performed, registry},
};

impl Worker {
    pub(super) fn make_ready(&mut self) -> Result<()> {
        if let Some(identity) = self.initializer.take() {
            let Can::Run { perform, .. } = registry::find(&identity)?.can else {
                return Err(Error::refused(format!("{} cannot be an initializer", identity.name)));
            };
            let message = self.message()?;
            let mut encoder = Encoder::default();
            match perform(&mut *self.state, &mut Decoder::new(&message), &mut encoder) {
                Performed::Done => {}
                Performed::Exit(code) => {
                    return Err(Error::refused(format!("the initializer {} returned {code:?}", identity.name)));
                }
                Performed::Refused(error) | Performed::Unencodable(error) => return Err(error),
            }
        }
        if let Some(identity) = self.builder.take() {
            let Can::Build(build) = registry::find(&identity)?.can else {
                return Err(Error::refused(format!("{} does not make a worker's state", identity.name)));
            };
            let message = self.message()?;
            self.state = build(&mut Decoder::new(&message)).map_err(|error| error.context(identity.name))?;
        }
        Ok(())
    }

    /// The parent is told, and replaces it or gives up.
    pub(super) fn unready(&mut self, why: &str) -> Result<()> {
        self.write(Kind::Unready, cut(why));
        self.rest(self.mailbox.state());
        Ok(())
    }

    /// No more tasks come.
    pub(super) fn say_goodbye(&mut self) -> Result<()> {
        if !self.names.is_empty() {
            io::stderr().write_all(&tags::END).ok();
        }
        if let Some(identity) = self.exit.take()
            && let Can::Perform(perform) | Can::Run { perform, .. } = registry::find(&identity)?.can
        {
            let nothing = Message::plain(0, vec![0; HEADER]);
            perform(&mut *self.state, &mut Decoder::new(&nothing), &mut Encoder::default());
        }
        Ok(())
    }
}
