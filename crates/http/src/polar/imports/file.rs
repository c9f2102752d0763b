//! Cuts a file of customers into chunks of whole rows while it arrives.
//!
//! A row of a table ends at a line break outside of quotes, one of JSON Lines at every line break. Blank rows are
//! ignored. The first row of a table names its columns, and shows the separator: comma, semicolon or tab.

use tenantry_core::customer::ImportFormat;

use super::table;
use crate::limits;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The reason why a file as a whole is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The file has another encoding.
    #[error("the file is not UTF-8")]
    Encoding,
    /// A row is longer than a row may be.
    #[error("row {0} has more than {max} KiB: is a quotation mark missing?", max = limits::IMPORT_ROW >> 10)]
    RowTooLong(i64),
    /// The table ends inside of quotes.
    #[error("a quotation mark of row {0} is not closed")]
    OpenQuote(i64),
    /// The table has no columns.
    #[error("the first line names no columns")]
    NoColumns,
    /// The columns of the table are refused.
    #[error(transparent)]
    Columns(#[from] table::ColumnError),
}

/// Whole rows of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FileChunk {
    /// The number of rows.
    pub(super) rows: i64,
    /// The rows.
    pub(super) content: Vec<u8>,
}

/// The place in a row of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    FieldStart,
    Plain,
    Quoted,
    /// After a quotation mark inside of quotes. It ends the quotes unless another one follows.
    Quote,
}

/// Finds the ends of rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scanner {
    place: Place,
    /// The separators of fields. None where quotes have no meaning.
    separators: Option<&'static [u8]>,
}

impl Scanner {
    pub(super) const fn new(separators: Option<&'static [u8]>) -> Self {
        Self { place: Place::FieldStart, separators }
    }

    /// Takes a byte. Returns whether a row ends with it.
    pub(super) fn ends(&mut self, byte: u8) -> bool {
        let Some(separators) = self.separators else { return byte == b'\n' };
        if self.place == Place::Quoted {
            if byte == b'"' {
                self.place = Place::Quote;
            }
            return false;
        }
        self.place = match byte {
            b'\n' => Place::FieldStart,
            b'"' if matches!(self.place, Place::FieldStart | Place::Quote) => Place::Quoted,
            _ if separators.contains(&byte) => Place::FieldStart,
            b'\r' => self.place,
            _ => Place::Plain,
        };
        byte == b'\n'
    }
}

/// A file of customers that arrives.
#[derive(Debug)]
pub(super) struct CustomerFile {
    scanner: Scanner,
    columns: Option<String>,
    buffer: Vec<u8>,
    /// The numbers of bytes in the buffer that were scanned, and that belong to whole rows.
    scanned: usize,
    whole: usize,
    /// Whole rows in the buffer, and in the file so far.
    rows: i64,
    all_rows: i64,
    has_begun: bool,
}

impl CustomerFile {
    /// An empty file.
    pub(super) fn new(format: ImportFormat) -> Self {
        let is_table = format == ImportFormat::Csv;
        Self {
            scanner: Scanner::new(is_table.then_some(table::SEPARATORS)),
            columns: (!is_table).then(String::new),
            buffer: Vec::new(),
            scanned: 0,
            whole: 0,
            rows: 0,
            all_rows: 0,
            has_begun: false,
        }
    }

    /// The first line of a table, once it has arrived. Empty for another file.
    pub(super) fn columns(&self) -> Option<&str> {
        self.columns.as_deref()
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the file is refused.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.buffer.extend_from_slice(bytes);
        if !self.has_begun && self.buffer.len() < BYTE_ORDER_MARK.len() {
            return Ok(());
        }
        self.begin()?;
        self.scan()
    }

    /// Takes the end of the file.
    ///
    /// # Errors
    /// When the file is refused.
    pub(super) fn finish(&mut self) -> Result<(), FileError> {
        self.begin()?;
        self.scan()?;
        if self.whole < self.buffer.len() {
            if self.scanner.place == Place::Quoted {
                return Err(FileError::OpenQuote(self.all_rows.saturating_add(1)));
            }
            self.buffer.push(b'\n');
            self.scan()?;
        }
        if self.columns.is_none() { Err(FileError::NoColumns) } else { Ok(()) }
    }

    /// The whole rows that have arrived, if they are enough for a chunk or the file is complete.
    pub(super) fn take(&mut self, is_complete: bool) -> Option<FileChunk> {
        if self.whole < limits::IMPORT_CHUNK && !is_complete {
            return None;
        }
        let rest = self.buffer.split_off(self.whole);
        let content = std::mem::replace(&mut self.buffer, rest);
        self.scanned = self.scanned.saturating_sub(self.whole);
        self.whole = 0;
        let rows = std::mem::take(&mut self.rows);
        (rows > 0).then_some(FileChunk { rows, content })
    }

    fn begin(&mut self) -> Result<(), FileError> {
        if std::mem::replace(&mut self.has_begun, true) {
            return Ok(());
        }
        if self.buffer.starts_with(&[0xff, 0xfe]) || self.buffer.starts_with(&[0xfe, 0xff]) {
            return Err(FileError::Encoding);
        }
        if self.buffer.starts_with(BYTE_ORDER_MARK) {
            self.buffer.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(())
    }

    fn scan(&mut self) -> Result<(), FileError> {
        while let Some(byte) = self.buffer.get(self.scanned) {
            let ends = self.scanner.ends(*byte);
            self.scanned += 1;
            if ends {
                self.end_row()?;
            }
        }
        if self.scanned.saturating_sub(self.whole) > limits::IMPORT_ROW {
            return Err(FileError::RowTooLong(self.all_rows.saturating_add(1)));
        }
        Ok(())
    }

    /// Takes the row that ends at `scanned`.
    fn end_row(&mut self) -> Result<(), FileError> {
        let row = self.buffer.get(self.whole..self.scanned).unwrap_or_default();
        if row.len() > limits::IMPORT_ROW {
            return Err(FileError::RowTooLong(self.all_rows.saturating_add(1)));
        }
        let is_blank = row.trim_ascii().is_empty();
        if self.columns.is_none() && !is_blank {
            let line = str::from_utf8(row).map_err(|_| FileError::Encoding)?;
            let line = line.trim_end_matches(['\r', '\n']).to_owned();
            self.scanner = Scanner::new(Some(table::check(&line)?));
            self.columns = Some(line);
            self.buffer.drain(..self.scanned);
            (self.scanned, self.whole) = (0, 0);
            return Ok(());
        }
        self.whole = self.scanned;
        if !is_blank {
            self.rows += 1;
            self.all_rows += 1;
        }
        Ok(())
    }
}

/// The rows of a chunk, without blank ones.
pub(super) fn rows(content: &[u8], mut scanner: Scanner) -> impl Iterator<Item = &[u8]> {
    let rows = content.split_inclusive(move |byte| scanner.ends(*byte));
    rows.filter(|row| !row.trim_ascii().is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::table::ColumnError;
    use super::*;

    /// The chunks of a file that arrives in pieces of this size.
    fn cut(format: ImportFormat, text: &[u8], piece: usize) -> Result<(String, Vec<FileChunk>), FileError> {
        let (mut file, mut chunks) = (CustomerFile::new(format), Vec::new());
        for bytes in text.chunks(piece) {
            file.push(bytes)?;
            chunks.extend(file.take(false));
        }
        file.finish()?;
        chunks.extend(file.take(true));
        Ok((file.columns().unwrap().to_owned(), chunks))
    }

    fn of_table(text: &[u8], piece: usize) -> Vec<String> {
        let (columns, chunks) = cut(ImportFormat::Csv, text, piece).unwrap();
        let separators = table::check(&columns).unwrap();
        let mut found = Vec::new();
        for chunk in chunks {
            let read: Vec<_> = rows(&chunk.content, Scanner::new(Some(separators))).collect();
            assert_eq!(i64::try_from(read.len()), Ok(chunk.rows));
            found.extend(read.iter().map(|row| String::from_utf8_lossy(row).into_owned()));
        }
        found
    }

    #[test]
    fn a_row_of_a_table_ends_outside_of_quotes() {
        let text = b"\xef\xbb\xbfemail,name\r\n\r\na@b.example,\"two\r\nlines, \"\"quoted\"\"\"\r\nc@d.example,5\" pipe\nlast";
        for piece in [1, 2, 3, 7, 1_000] {
            let rows = of_table(text, piece);
            assert_eq!(
                rows,
                ["a@b.example,\"two\r\nlines, \"\"quoted\"\"\"\r\n", "c@d.example,5\" pipe\n", "last\n"]
            );
        }
        assert_eq!(of_table(b"Email;Name\na;\"b\nc\"\n", 1).len(), 1);
        assert_eq!(of_table(b"email\n", 1), Vec::<String>::new());
    }

    #[test]
    fn a_file_that_cannot_be_cut_is_refused() {
        let refusal = |text: &[u8]| cut(ImportFormat::Csv, text, 5).unwrap_err();
        assert_eq!(refusal(b""), FileError::NoColumns);
        assert_eq!(refusal(b"\xff\xfee\0"), FileError::Encoding);
        assert_eq!(refusal(b"email\na\n\"b\n"), FileError::OpenQuote(2));
        assert_eq!(refusal(b"email,phone\n"), FileError::Columns(ColumnError::Unknown("phone".to_owned())));
        assert_eq!(refusal(b"email,Email\n"), FileError::Columns(ColumnError::Repeated("Email".to_owned())));
        assert_eq!(refusal(b"name\n"), FileError::Columns(ColumnError::NoKey));
        let long = [b"email\n".to_vec(), vec![b'a'; limits::IMPORT_ROW + 2]].concat();
        assert_eq!(refusal(&long), FileError::RowTooLong(1));
    }

    #[test]
    fn chunks_are_bounded() {
        let line = format!("{{\"email\":\"{}@b.example\"}}\n", "a".repeat(1_000));
        let text = line.repeat(2_000);
        let (_, chunks) = cut(ImportFormat::JsonLines, text.as_bytes(), 64 << 10).unwrap();
        assert!(chunks.len() > 5);
        assert!(chunks.iter().all(|chunk| chunk.content.len() <= limits::IMPORT_CHUNK + (64 << 10)));
        assert_eq!(chunks.iter().map(|chunk| chunk.rows).sum::<i64>(), 2_000);
    }

    proptest! {
        #[test]
        fn the_pieces_in_which_a_file_arrives_do_not_matter(
            text in "[a\"\r\n,]{0,40}", piece in 1_usize..9,
        ) {
            let text = format!("email,name\n{text}");
            let whole = cut(ImportFormat::Csv, text.as_bytes(), 1_000);
            prop_assert_eq!(cut(ImportFormat::Csv, text.as_bytes(), piece), whole);
        }
    }
}
