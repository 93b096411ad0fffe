//! The table of an audit: grouped by repository and cut to the width of a terminal, or one complete line for each image in
//! a file or a pipe.

use std::io::{self, Write};

use anstyle::Style;

use super::results_file::ResultsFile;
use super::results_index::RepositoryGroup;
use super::summary::{format_count, format_outcome_counts};
use super::table_cells::{
    DATE_WIDTH, HEADER, USE_TITLE, affected_runtimes, line_cells, marked_cause, push_date, repository_name, short_tags,
    short_use, symbol_and_style, truncate_end, truncate_start,
};

/// From this width on, in columns, the table has a column for the date.
const MIN_WIDTH_FOR_DATE: usize = 100;

/// The same if there is a column for consumers.
const MIN_WIDTH_FOR_DATE_AND_USE: usize = 140;

/// The narrowest table, in columns; a narrower terminal wraps it itself.
const MIN_WIDTH: usize = 40;

/// Up to this width, in columns, a column of a file or a pipe is aligned. A longer name only moves the rest of its line.
const MAX_ALIGNED_WIDTH: usize = 60;

/// A table with a line for each image.
#[derive(Debug, Clone, Copy)]
pub(super) struct AuditTable {
    /// Whether there is a column for the consumers of each image.
    pub(super) has_consumers: bool,
    /// In columns; `None` in a file or a pipe.
    pub(super) width: Option<usize>,
    pub(super) uses_color: bool,
}

/// The widths of the columns in a terminal.
#[derive(Debug, Clone, Copy)]
struct ColumnWidths {
    tags: usize,
    has_date: bool,
    runtime: usize,
    /// `None` without consumers.
    in_use: Option<usize>,
    cause: usize,
}

impl AuditTable {
    /// Writes a table of these images; nothing if there are none.
    ///
    /// # Errors
    /// The results cannot be read, or the output cannot be written.
    pub(super) fn write(
        self,
        results: &mut ResultsFile,
        groups: &[RepositoryGroup],
        out: &mut impl Write,
    ) -> io::Result<()> {
        if groups.is_empty() {
            return Ok(());
        }
        match self.width {
            Some(width) => self.write_groups(results, groups, width.max(MIN_WIDTH), out)?,
            None => self.write_lines(results, groups, out)?,
        }
        writeln!(out)
    }

    fn write_groups(
        self,
        results: &mut ResultsFile,
        groups: &[RepositoryGroup],
        width: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let widths = self.measure(results, groups, width)?;
        if self.has_consumers {
            // Without it, the names of consumers could be those of anything.
            let titles = ["TAGS", "PUSHED", "RUNTIME", USE_TITLE, "CAUSE"].map(str::to_owned);
            writeln!(out, "    {}", widths.format_line(titles))?;
        }
        for (number, group) in groups.iter().enumerate() {
            for (index, offset) in group.offsets.iter().enumerate() {
                let report = results.read_report(*offset)?;
                if index == 0 {
                    if number > 0 {
                        writeln!(out)?;
                    }
                    self.write_heading(&repository_name(&report, results), group, width, out)?;
                }
                let cells = [
                    truncate_start(&short_tags(&report), widths.tags),
                    push_date(&report),
                    affected_runtimes(&report),
                    short_use(&report, widths.in_use.unwrap_or_default()),
                    marked_cause(&report, results),
                ];
                let (symbol, style) = symbol_and_style(&report);
                let style = if self.uses_color { style } else { Style::new() };
                writeln!(out, "  {style}{symbol}{style:#} {}", widths.format_line(cells))?;
            }
        }
        Ok(())
    }

    fn measure(self, results: &mut ResultsFile, groups: &[RepositoryGroup], width: usize) -> io::Result<ColumnWidths> {
        let titles = if self.has_consumers { ["TAGS", "RUNTIME", USE_TITLE] } else { [""; 3] };
        let mut widest = titles.map(str::len);
        for offset in groups.iter().flat_map(|group| &group.offsets) {
            let report = results.read_report(*offset)?;
            let cells = [short_tags(&report), affected_runtimes(&report), short_use(&report, usize::MAX)];
            for (widest, cell) in widest.iter_mut().zip(cells) {
                *widest = cell.chars().count().max(*widest);
            }
        }
        let [tags, runtime, in_use] = widest;
        // The cause gets the rest: at least a third, or a quarter if there are consumers.
        let (tags, runtime, in_use, min_width) = if self.has_consumers {
            let in_use = Some(in_use.min(width / 5));
            (tags.min(width / 4), runtime.min(width / 6), in_use, MIN_WIDTH_FOR_DATE_AND_USE)
        } else {
            (tags.min(width / 3), runtime.min(width / 5), None, MIN_WIDTH_FOR_DATE)
        };
        let has_date = width >= min_width;
        let date = if has_date { DATE_WIDTH + 2 } else { 0 };
        let used = 4 + tags + 2 + date + runtime + 2 + in_use.map_or(0, |in_use| in_use + 2);
        Ok(ColumnWidths { tags, has_date, runtime, in_use, cause: width.saturating_sub(used).max(1) })
    }

    fn write_heading(self, name: &str, group: &RepositoryGroup, width: usize, out: &mut impl Write) -> io::Result<()> {
        let images = group.counts.iter().map(|(_, count)| count).sum();
        let counts = format!("  {}: {}", format_count(images, "image"), format_outcome_counts(&group.counts, 0));
        let name = truncate_start(name, width.saturating_sub(counts.chars().count()).max(MIN_WIDTH / 2));
        let style = if self.uses_color { Style::new().bold() } else { Style::new() };
        writeln!(out, "{style}{name}{style:#}{counts}")
    }

    /// Writes one line for each image, with nothing cut off, so that other programs find names in it. Only the last column
    /// contains spaces; an empty one is `-`.
    fn write_lines(
        self,
        results: &mut ResultsFile,
        groups: &[RepositoryGroup],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut widths = HEADER.map(|title| title.chars().count());
        for offset in groups.iter().flat_map(|group| &group.offsets) {
            let report = results.read_report(*offset)?;
            for (width, cell) in widths.iter_mut().zip(line_cells(&report, results)) {
                *width = cell.chars().count().min(MAX_ALIGNED_WIDTH).max(*width);
            }
        }
        let mut write = |cells: [String; 7], style: Style| {
            let columns = HEADER.into_iter().zip(cells.iter().zip(widths));
            let columns = columns.filter(|(title, _)| self.has_consumers || *title != USE_TITLE);
            let padded: Vec<String> = columns.map(|(_, (cell, width))| format!("{cell:width$}")).collect();
            let style = if self.uses_color { style } else { Style::new() };
            let (verdict, rest) = (&padded[0], padded[1..].join("  "));
            writeln!(out, "{style}{verdict}{style:#}  {}", rest.trim_end())
        };
        write(HEADER.map(str::to_owned), Style::new())?;
        for offset in groups.iter().flat_map(|group| &group.offsets) {
            let report = results.read_report(*offset)?;
            write(line_cells(&report, results), symbol_and_style(&report).1)?;
        }
        Ok(())
    }
}

impl ColumnWidths {
    /// Formats a line of tags, date, runtime, consumers and cause.
    fn format_line(self, [tags, date, runtime, in_use, cause]: [String; 5]) -> String {
        let columns = [
            self.has_date.then_some((date, DATE_WIDTH)),
            Some((runtime, self.runtime)),
            self.in_use.map(|width| (in_use, width)),
            Some((cause, self.cause)),
        ];
        let cells = columns.into_iter().flatten();
        let cells = cells.map(|(cell, width)| format!("  {:width$}", truncate_end(&cell, width)));
        // The beginning of a tag was cut, if necessary.
        let line = format!("{tags:width$}{}", cells.collect::<String>(), width = self.tags);
        line.trim_end().to_owned()
    }
}
