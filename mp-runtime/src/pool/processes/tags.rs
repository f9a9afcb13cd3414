//! Which task a line on a worker's standard error is of: the worker says in between what it begins, and the parent takes that out again.

/// A record separator, as ASCII has it: before and behind the name of what begins.
const MARK: u8 = 0x1e;
/// What is longer is none.
const LONGEST: usize = 1024;

/// What a worker writes before a task.
pub(super) fn begin(target: &str, index: u64) -> Vec<u8> {
    let name = target.get(..target.floor_char_boundary(LONGEST / 2)).unwrap_or(target);
    [&[MARK], name.as_bytes(), b" ", index.to_string().as_bytes(), &[MARK]].concat()
}

/// What it writes when no more tasks come.
pub(super) const END: [u8; 2] = [MARK, MARK];

/// Puts worker and task before each line.
#[derive(Debug)]
pub(super) struct Tagger {
    worker: String,
    task: Vec<u8>,
    /// What has come of a mark so far.
    mark: Option<Vec<u8>>,
    /// The next byte begins a line.
    begins: bool,
}

impl Tagger {
    pub(super) fn new(worker: String) -> Self {
        Self { worker, task: Vec::new(), mark: None, begins: true }
    }

    /// Takes what the worker wrote: `shown` is that with tags, `said` without.
    pub(super) fn take(&mut self, mut bytes: &[u8], shown: &mut Vec<u8>, said: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let at = bytes.iter().position(|byte| *byte == MARK);
            let (part, rest) = bytes.split_at(at.unwrap_or(bytes.len()));
            bytes = rest.get(1..).unwrap_or_default();
            match &mut self.mark {
                None => self.text(part, shown, said),
                Some(mark) => mark.extend_from_slice(part),
            }
            if self.mark.as_ref().is_some_and(|mark| mark.len() > LONGEST) {
                let text = self.mark.take().unwrap_or_default();
                self.text(&text, shown, said);
            }
            if at.is_some() {
                match self.mark.take() {
                    None => self.mark = Some(Vec::new()),
                    Some(task) => self.begin(task, shown),
                }
            }
        }
    }

    fn begin(&mut self, task: Vec<u8>, shown: &mut Vec<u8>) {
        if !self.begins {
            // The task before this one has left its line open.
            shown.push(b'\n');
            self.begins = true;
        }
        self.task = task;
    }

    fn text(&mut self, text: &[u8], shown: &mut Vec<u8>, said: &mut Vec<u8>) {
        said.extend_from_slice(text);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            if self.begins {
                let space: &[u8] = if self.task.is_empty() { b"" } else { b" " };
                shown.extend([b"[", self.worker.as_bytes(), space, &self.task, b"] "].concat());
            }
            shown.extend_from_slice(line);
            self.begins = line.ends_with(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tagged(parts: &[&[u8]]) -> (String, String) {
        let (mut tagger, mut shown, mut said) = (Tagger::new("w-1".to_owned()), Vec::new(), Vec::new());
        parts.iter().for_each(|part| tagger.take(part, &mut shown, &mut said));
        (String::from_utf8_lossy(&shown).into_owned(), String::from_utf8_lossy(&said).into_owned())
    }

    #[test]
    fn each_line_has_its_task_however_it_comes_in() {
        let all = [&b"early\n"[..], &begin("square", 7), b"one\ntwo", &begin("cube", 8), b"three\n\n", &END, b"late"]
            .concat();
        let shown =
            "[w-1] early\n[w-1 square 7] one\n[w-1 square 7] two\n[w-1 cube 8] three\n[w-1 cube 8] \n[w-1] late";
        let expected = (shown.to_owned(), "early\none\ntwothree\n\nlate".to_owned());
        assert_eq!(tagged(&[&all]), expected);
        for cut in 0..all.len() {
            let (before, after) = all.split_at(cut);
            assert_eq!(tagged(&[before, after]), expected, "cut at {cut}");
        }
        assert_eq!(tagged(&all.chunks(1).collect::<Vec<_>>()), expected);
    }

    #[test]
    fn what_is_no_mark_is_not_kept_back_for_ever() {
        let text = "x".repeat(LONGEST + 1);
        let (shown, said) = tagged(&[&[MARK], text.as_bytes(), b"\nmore"]);
        assert_eq!(said, format!("{text}\nmore"));
        assert_eq!(shown, format!("[w-1] {text}\n[w-1] more"));
    }
}
