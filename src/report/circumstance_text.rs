//! Says in sentences what the circumstances of a report are.

use super::model::Report;
use crate::platform::Platform;

impl Report {
    /// Says what was before, as sentences without a period at the end.
    pub(super) fn describe_circumstances(&self) -> Vec<String> {
        let mut sentences = Vec::new();
        sentences.extend(self.stopped.as_ref().and_then(|stopped| {
            let code = stopped.exit_code.map(|code| format!("with exit code {code}"));
            let reason = stopped.reason.as_ref().map(|reason| format!("({reason})"));
            let parts: Vec<String> = code.into_iter().chain(reason).collect();
            (!parts.is_empty()).then(|| format!("The container ended {}", parts.join(" ")))
        }));
        if let (Some(previous), Some(image)) = (&self.previous, &self.image) {
            let now: Vec<String> = image.platforms.iter().map(Platform::to_string).collect();
            if !previous.platforms.is_empty() && !now.is_empty() && previous.platforms != now {
                sentences.push(format!(
                    "This tag was {} until {}; now it is {}",
                    previous.platforms.join(", "),
                    previous.until_minute,
                    now.join(", ")
                ));
            }
        }
        sentences.extend(self.resolved.as_ref().map(|resolved| {
            let faults =
                if resolved.faults.is_empty() { "an unknown result".to_owned() } else { resolved.faults.join(", ") };
            format!("This resolves {faults}, which was reported on {}", resolved.reported_minute)
        }));
        sentences
    }
}
