//! Many cases in one snapshot.

use std::fmt::Display;

/// The text of a table test: each input, and indented below it the outcome.
#[derive(Debug, Default)]
pub struct Cases(String);

impl Cases {
    pub fn add(&mut self, input: impl Display, outcome: impl Display) {
        self.0 += &format!("{input}\n");
        for line in outcome.to_string().lines() {
            self.0 += &if line.is_empty() { "\n".to_owned() } else { format!("    {line}\n") };
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}
