//! Which of the two is wrong if an image does not start where a consumer runs it.

use serde::Serialize;

use super::FaultCode;

/// What has to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WrongSide {
    /// The image.
    Image,
    /// What runs the image, for example its task definition.
    Consumer,
    /// One of the two; nothing shows which.
    Either,
}

impl WrongSide {
    /// Returns which side a fault is on. `suits_declaration` is whether the image has the platform of the runtimes that are
    /// declared for it, `None` if none is declared. `starts_own` is whether the consumer starts what the image declares.
    pub fn of(code: FaultCode, suits_declaration: Option<bool>, starts_own: bool) -> Self {
        use FaultCode::{PlatformMissing, WrongArchitecture, WrongOs};
        match (code, suits_declaration) {
            (WrongArchitecture | PlatformMissing | WrongOs, Some(true)) => Self::Consumer,
            (WrongArchitecture | PlatformMissing | WrongOs, None) => Self::Either,
            (code, _) if code.is_exec() && !starts_own => Self::Either,
            _ => Self::Image,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_that_suits_its_declaration_is_not_wrong() {
        use WrongSide::{Consumer, Either, Image};
        for (code, suits_declaration, starts_own, expected) in [
            (FaultCode::WrongArchitecture, Some(true), true, Consumer),
            (FaultCode::PlatformMissing, Some(true), false, Consumer),
            (FaultCode::WrongArchitecture, Some(false), true, Image),
            (FaultCode::WrongArchitecture, None, true, Either),
            // A program that the consumer names may be missing in the image, or its name may be wrong.
            (FaultCode::ExecNotFound, Some(true), false, Either),
            (FaultCode::ExecNotFound, Some(true), true, Image),
            (FaultCode::IndexRefused, None, true, Image),
        ] {
            assert_eq!(WrongSide::of(code, suits_declaration, starts_own), expected, "{code:?} {suits_declaration:?}");
        }
    }
}
