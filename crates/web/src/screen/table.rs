//! Lists: columns, rows, filters, and what is shown when there is no row.

use std::iter::zip;

use super::{Act, Choice, State};
use crate::time::Moment;
use crate::view::Pages;

/// A column. `class` is `r` for numbers and times, `extra` for one that narrow screens leave out.
#[derive(Clone, Copy)]
pub(crate) struct Column {
    pub(crate) label: &'static str,
    pub(crate) class: &'static str,
}

impl Column {
    pub(crate) const fn new(label: &'static str) -> Self {
        Self { label, class: "" }
    }

    pub(crate) const fn right(label: &'static str) -> Self {
        Self { label, class: "r" }
    }

    pub(crate) const fn extra(label: &'static str) -> Self {
        Self { label, class: "extra" }
    }
}

/// The content of a cell.
pub(crate) enum Cell {
    /// The name of the row. `face` has the initials of a person, `mark` those of an organization; either may be empty,
    /// and so may the address of the row's page.
    Main {
        face: String,
        mark: String,
        name: String,
        note: &'static str,
        small: String,
        href: String,
    },
    /// A name for machines, with a link.
    Mono {
        name: String,
        href: String,
    },
    Tag(String),
    /// A tag that stands out.
    Strong(String),
    State(State),
    Text(String),
    Number(String),
    Code(String),
    Time(Moment),
    /// Whether something holds.
    Check(bool),
    Menu(Menu),
}

impl Cell {
    /// The cell of a person.
    pub(crate) fn person(name: &str, small: &str, href: String) -> Self {
        let (face, name, small) = (crate::view::initials(name), name.to_owned(), small.to_owned());
        Self::Main { face, mark: String::new(), name, note: "", small, href }
    }

    /// The cell of a thing with a name.
    pub(crate) fn thing(name: &str, small: &str, href: String) -> Self {
        let (name, small) = (name.to_owned(), small.to_owned());
        Self::Main { face: String::new(), mark: String::new(), name, note: "", small, href }
    }
}

/// The actions on a row.
pub(crate) struct Menu {
    /// Says whose actions they are.
    pub(crate) label: String,
    pub(crate) items: Vec<(Act, bool)>,
}

pub(crate) struct TableCell {
    pub(crate) class: &'static str,
    pub(crate) label: &'static str,
    pub(crate) content: Cell,
}

/// A list.
pub(crate) struct Table {
    pub(crate) columns: Vec<Column>,
    pub(crate) rows: Vec<Vec<TableCell>>,
    pub(crate) pages: Option<Pages>,
    pub(crate) empty: Option<Empty>,
    /// Whether the columns stay side by side on narrow screens.
    pub(crate) is_matrix: bool,
}

impl Table {
    /// A list whose rows have a cell for each column.
    pub(crate) fn new(columns: Vec<Column>, rows: Vec<Vec<Cell>>) -> Self {
        let cells = |row: Vec<Cell>| {
            let cell = |(column, content): (&Column, Cell)| {
                let label =
                    if matches!(content, Cell::Time(_) | Cell::Number(_)) { column.label } else { "" };
                TableCell { class: column.class, label, content }
            };
            zip(&columns, row).map(cell).collect()
        };
        let rows = rows.into_iter().map(cells).collect();
        Self { columns, rows, pages: None, empty: None, is_matrix: false }
    }

    pub(crate) fn paged(self, pages: Pages) -> Self {
        Self { pages: Some(pages), ..self }
    }

    /// The list with what is shown when it has no row.
    pub(crate) fn or(self, empty: Empty) -> Self {
        Self { empty: Some(empty), ..self }
    }
}

/// The text of a list without rows.
pub(crate) struct Empty {
    pub(crate) icon: &'static str,
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) act: Option<Act>,
}

/// The form above a list.
pub(crate) struct Filters {
    pub(crate) href: String,
    pub(crate) search: Option<Search>,
    pub(crate) selects: Vec<Select>,
}

pub(crate) struct Search {
    pub(crate) label: &'static str,
    pub(crate) value: String,
}

pub(crate) struct Select {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) options: Vec<Choice>,
}

impl Filters {
    pub(crate) const fn new(href: String) -> Self {
        Self { href, search: None, selects: Vec::new() }
    }

    pub(crate) fn search(self, label: &'static str, value: &str) -> Self {
        Self { search: Some(Search { label, value: value.to_owned() }), ..self }
    }

    /// The form with a choice. Of the options, given by value and label, the one with the `chosen` value is selected.
    pub(crate) fn select(
        mut self,
        (name, label): (&'static str, &'static str),
        chosen: &str,
        options: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        let option = |(value, label): (String, String)| Choice::new(&value, &label).chosen(value == chosen);
        self.selects.push(Select { name, label, options: options.into_iter().map(option).collect() });
        self
    }
}

/// The address of a page of a list with these parameters; empty ones are left out.
pub(crate) fn address(href: &str, parameters: &[(&str, &str)], page: u64) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters.iter().filter(|(_, value)| !value.is_empty()));
    if page > 1 {
        query.append_pair("page", &page.to_string());
    }
    let query = query.finish();
    if query.is_empty() { href.to_owned() } else { format!("{href}?{query}") }
}
