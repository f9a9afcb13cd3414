//! Feature `tracing`: what a subscriber hears.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use multiprocess as mp;
use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span,
};

#[mp::process_target]
fn nothing() {}

/// Keeps the events of this library as text.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<String>>>);

impl Subscriber for Heard {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "multiprocess"
    }

    fn event(&self, event: &Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() != "pid" {
                    self.0 += &format!("{}={value:?} ", field.name());
                }
            }
        }
        let mut text = Text(format!("{} ", event.metadata().level()));
        event.record(&mut text);
        self.0.lock().unwrap().push(text.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[test]
fn starts_and_ends_are_told() {
    let heard = Heard::default();
    tracing::subscriber::with_default(heard.clone(), || {
        mp::Process::new(nothing, ()).name("a").start().unwrap().join().unwrap();
        mp::Process::new(nothing, ()).name("b").executable("/no/such").start().unwrap_err();
    });
    let heard = heard.0.lock().unwrap();
    assert_eq!(heard[0], r#"DEBUG message=process started name="a" process_target="tracing::nothing" "#);
    assert_eq!(heard[1], r#"DEBUG message=process ended name="a" status=exit code 0 "#);
    assert!(heard[2].starts_with(r#"WARN message=process not started name="b" error=cannot start process 'b'"#));
    assert_eq!(heard.len(), 3);
}
