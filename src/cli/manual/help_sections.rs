//! The sections at the end of a command's help, which are the same in its manual page.
//!
//! A section begins with a line `Title:`. What is indented is a list or code, other lines are sentences.

use super::roff::{format_bold, format_line, format_prose};

/// One section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct HelpSection<'a> {
    pub(super) kind: &'static SectionKind,
    lines: Vec<&'a str>,
}

/// What a section is in a manual page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SectionKind {
    /// The title in the help.
    help_title: &'static str,
    /// The title in the page, by `man-pages(7)`.
    pub(super) page_title: &'static str,
    layout: SectionLayout,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SectionLayout {
    /// Indented lines are commands, which are never filled.
    Code,
    /// Indented lines are terms, each followed by two blanks and its description, which may continue.
    List,
}

/// The title of the section that a page shows at its end.
pub(super) const EXAMPLES: &str = "EXAMPLES";

/// Every section, in the order of a page.
const KINDS: [SectionKind; 6] = [
    SectionKind { help_title: "Runtimes", page_title: "RUNTIMES", layout: SectionLayout::List },
    SectionKind { help_title: "Image references", page_title: "IMAGE REFERENCES", layout: SectionLayout::List },
    SectionKind { help_title: "Permissions", page_title: "PERMISSIONS", layout: SectionLayout::List },
    SectionKind { help_title: "To install the script", page_title: "INSTALLATION", layout: SectionLayout::Code },
    SectionKind { help_title: "Exit codes", page_title: "EXIT STATUS", layout: SectionLayout::List },
    SectionKind { help_title: "Examples", page_title: EXAMPLES, layout: SectionLayout::Code },
];

/// Splits the end of a command's help into sections, in the order of a page. Lines before the first title are not in it.
pub(super) fn parse_sections(help: &str) -> Vec<HelpSection<'_>> {
    let mut sections: Vec<HelpSection<'_>> = Vec::new();
    for line in help.lines() {
        let (title, rest) = line.split_once(':').unwrap_or((line, ""));
        match KINDS.iter().find(|kind| kind.help_title == title) {
            Some(kind) => {
                let lines = Some(rest.trim()).filter(|rest| !rest.is_empty()).into_iter().collect();
                sections.push(HelpSection { kind, lines });
            }
            None => sections.last_mut().into_iter().for_each(|section| section.lines.push(line)),
        }
    }
    sections.sort_by_key(|section| KINDS.iter().position(|kind| kind == section.kind));
    sections
}

impl HelpSection<'_> {
    /// Formats the section for a page.
    pub(super) fn format(&self) -> String {
        let mut page = format!(".SH \"{}\"\n", self.kind.page_title);
        let end = self.lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        let (mut is_open, mut prose) = (false, Vec::new());
        for line in self.lines[..end].iter().chain([&""]) {
            let is_indented = line.starts_with(' ') || line.is_empty() && is_open;
            if !is_indented && is_open {
                page += ".EE\n";
                is_open = false;
            }
            if (is_indented || line.is_empty()) && !prose.is_empty() {
                let separator = if page.ends_with("\"\n") { "" } else { ".PP\n" };
                page.extend([separator, &format_prose(&prose.join(" "))]);
                prose.clear();
            }
            match self.kind.layout {
                SectionLayout::Code if is_indented => {
                    page += match (is_open, page.ends_with("\"\n")) {
                        (true, _) => "",
                        // A paragraph after a heading is redundant.
                        (false, true) => ".EX\n",
                        (false, false) => ".PP\n.EX\n",
                    };
                    is_open = true;
                    page += &format_line(line.strip_prefix("  ").unwrap_or(line));
                }
                SectionLayout::List if is_indented => page += &format_item(line),
                _ if line.is_empty() => {}
                _ => prose.push(*line),
            }
        }
        if is_open {
            page = format!("{}\n.EE\n", page.trim_end_matches('\n'));
        }
        page
    }
}

/// Formats a line of a list: a term with its description, or more of the description before.
fn format_item(line: &str) -> String {
    let text = line.trim_start();
    let is_continued = line.len() - text.len() > 2;
    match text.split_once("  ") {
        Some((term, description)) if !is_continued => {
            format!(".TP\n{}\n{}", format_bold(term), format_prose(description.trim_start()))
        }
        _ => format_prose(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_lists_code_and_sentences() {
        let help = "Examples:\n  tool a-b\n  tool c\n\nExit codes:\n  0   fine\n  64  not fine,\n      really\n\nOf `two`\nmore.";
        let page: String = parse_sections(help).iter().map(HelpSection::format).collect();
        let expected = ".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\nfine\n.TP\n\\fB64\\fR\nnot fine,\nreally\n\
                        .PP\nOf \\fBtwo\\fR more.\n.SH \"EXAMPLES\"\n.EX\ntool a\\-b\ntool c\n.EE\n";
        assert_eq!(page, expected);
    }
}
