//! Screens: pages described by their parts, so that lists, forms and confirmations look and work alike everywhere.
//!
//! A handler builds a [`Screen`] from the rows of its use cases, and `templates/screen.html` shows it.

mod ask;
mod fields;
mod form;
mod table;

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use crate::portal::Brand;
use crate::respond;
use crate::texts::Texts;
use crate::time::Moment;
use crate::view::Page;

pub(crate) use ask::{Confirm, Shown, expiries, overlap, overlaps};
pub(crate) use fields::{Fault, Reading, refused};
pub(crate) use form::{Choice, FormView, Kind};
pub(crate) use table::{Cell, Column, Empty, Filters, Menu, Table, address};

/// A page.
#[derive(Default)]
pub(crate) struct Screen {
    /// The page above this one.
    pub(crate) back: Option<Link>,
    pub(crate) title: String,
    /// A word beside the title.
    pub(crate) tag: String,
    pub(crate) state: Option<State>,
    pub(crate) lead: String,
    /// Whether the lead and the title are text for machines.
    pub(crate) mono: bool,
    pub(crate) acts: Vec<Act>,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) parts: Vec<Part>,
    /// Facts beside the parts.
    pub(crate) aside: Vec<Fact>,
    /// Whether the page is narrow, as for a form.
    pub(crate) slim: bool,
}

pub(crate) struct Link {
    pub(crate) href: String,
    pub(crate) label: String,
}

/// A link or a button at the head of a page or section, or in a row.
pub(crate) struct Act {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    /// Empty without an icon.
    pub(crate) icon: &'static str,
    /// Whether another act matters more.
    pub(crate) quiet: bool,
    /// Whether it acts at once.
    pub(crate) posts: bool,
}

impl Act {
    /// A link.
    pub(crate) const fn to(href: String, label: &'static str, icon: &'static str) -> Self {
        Self { label, href, icon, quiet: false, posts: false }
    }

    /// A button that acts at once.
    pub(crate) const fn now(href: String, label: &'static str, icon: &'static str) -> Self {
        Self { label, href, icon, quiet: false, posts: true }
    }

    pub(crate) fn quiet(self) -> Self {
        Self { quiet: true, ..self }
    }
}

pub(crate) struct Tab {
    pub(crate) href: String,
    pub(crate) label: &'static str,
    pub(crate) current: bool,
    pub(crate) count: String,
}

/// A state, as a dot and a word. `kind` is `ok`, `warn`, `bad`, `off` or empty.
#[derive(Clone)]
pub(crate) struct State {
    pub(crate) kind: &'static str,
    pub(crate) word: String,
}

impl State {
    pub(crate) fn new(kind: &'static str, word: &str) -> Self {
        Self { kind, word: word.to_owned() }
    }
}

/// A part of a page, with a heading if it has one.
pub(crate) struct Part {
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) act: Option<Act>,
    pub(crate) block: Block,
}

impl Part {
    /// A part without a heading.
    pub(crate) const fn plain(block: Block) -> Self {
        Self { title: String::new(), text: String::new(), act: None, block }
    }

    pub(crate) fn titled(title: &str, text: &str, block: Block) -> Self {
        Self { title: title.to_owned(), text: text.to_owned(), act: None, block }
    }

    pub(crate) fn with(self, act: Option<Act>) -> Self {
        Self { act, ..self }
    }
}

/// The content of a part of a page.
pub(crate) enum Block {
    Note(Note),
    Filters(Filters),
    Table(Table),
    Facts(Vec<Fact>),
    Tiles(Vec<Tile>),
    Form(FormView),
    Rows(Vec<Row>),
    /// The effects, kept and lost, each row by its state alone.
    Consequences(Vec<Row>),
    /// Links at the end of a page.
    Acts(Vec<Act>),
    Dangers(Vec<Danger>),
    /// Changes, newest first.
    Timeline(Vec<Event>),
    /// The first steps, in order.
    Steps(Vec<Step>),
    /// Text for machines with a copy button; the flag says whether its lines may break.
    Code(String, bool),
    /// A secret that is shown once.
    Secret(String),
    /// A muted sentence.
    Text(String),
    /// The look of the portal in both colour schemes.
    Preview(Preview),
}

/// A preview of the portal.
pub(crate) struct Preview {
    /// The style sheet of the portal.
    pub(crate) sheet: String,
    /// The style sheet of the colour; empty without a colour.
    pub(crate) style: String,
    pub(crate) brand: Brand,
}

/// A note. `kind` is `ok`, `warn`, `bad` or empty.
pub(crate) struct Note {
    pub(crate) kind: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) title: String,
    pub(crate) text: String,
    pub(crate) acts: Vec<Act>,
}

/// A number with a label. Without a page that says more, `href` is empty.
pub(crate) struct Tile {
    pub(crate) label: &'static str,
    pub(crate) value: String,
    pub(crate) href: String,
}

pub(crate) struct Fact {
    pub(crate) label: &'static str,
    pub(crate) value: FactValue,
}

pub(crate) enum FactValue {
    Text(String),
    /// An id or another text to copy.
    Id(String),
    Time(Moment),
    Tags(Vec<String>),
}

impl Fact {
    pub(crate) const fn new(label: &'static str, value: FactValue) -> Self {
        Self { label, value }
    }

    /// A fact that is shown only if there is a text.
    pub(crate) fn text(label: &'static str, text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::new(label, FactValue::Text(text.to_owned())))
    }
}

/// A row of a list without columns.
pub(crate) struct Row {
    /// Empty without an icon.
    pub(crate) icon: &'static str,
    pub(crate) title: String,
    pub(crate) tag: String,
    pub(crate) small: String,
    pub(crate) state: Option<State>,
    pub(crate) time: Option<Moment>,
    /// A text that a button copies; empty without one.
    pub(crate) copy: String,
    pub(crate) acts: Vec<Act>,
}

impl Row {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            icon: "",
            title: title.to_owned(),
            tag: String::new(),
            small: String::new(),
            state: None,
            time: None,
            copy: String::new(),
            acts: Vec::new(),
        }
    }
}

/// A change that somebody made, with the page that says more.
pub(crate) struct Event {
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) href: String,
    pub(crate) at: Moment,
}

/// Something to be done, with the page for it.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    pub(crate) text: &'static str,
    pub(crate) is_done: bool,
    pub(crate) act: Act,
}

/// Something that cannot be undone easily.
pub(crate) struct Danger {
    pub(crate) title: &'static str,
    pub(crate) text: String,
    pub(crate) button: &'static str,
    pub(crate) href: String,
}

#[derive(Template)]
#[template(path = "screen.html")]
struct ScreenPage {
    t: &'static Texts,
    page: Page,
    screen: Screen,
}

impl Screen {
    /// The response with this screen in its frame.
    pub(crate) fn show(self, t: &'static Texts, page: Page) -> Response {
        self.show_as(StatusCode::OK, t, page)
    }

    pub(crate) fn show_as(self, status: StatusCode, t: &'static Texts, page: Page) -> Response {
        respond::page(status, &ScreenPage { t, page, screen: self })
    }
}
