//! Loads the rows of a file in batches, while their organizations are hidden.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::sync::Arc;

use tenantry_core::ids::{OrganizationId, WebhookEndpointId, WebhookEventId};
use tenantry_store::{Catalog, ColumnValue, PendingEvent, RowValues, Store, Table};
use uuid::Uuid;

use super::apply::{Apply, Change, Rows};
use super::check::{check_people, check_stored, check_values};
use super::discard::discard_organization;
use super::file::{Item, Keys, PassHead, Reader};
use super::people::{People, email_of};
use super::run::Run;
use super::source::is_of_token;
use super::stage::{DeleteQueues, EndEvents, StageOrganization, table};
use super::tables::{self, PEOPLE};
use super::transform::{Transform, change_key, named_people};
use crate::archive::{ArchiveError, Progress, ReportProgress};
use crate::limits;

/// An organization and its sub-accounts. The last transaction reveals all of them.
const MOST_ORGANIZATIONS: usize = limits::SUB_ACCOUNTS_PER_PARENT as usize + 1;

/// A load in progress.
pub(super) struct Load<'a> {
    store: &'a Store,
    run: Run,
    pub(super) transform: Transform,
    pub(super) people: People,
    /// The organizations of the file, and their slugs.
    pub(super) organizations: BTreeMap<OrganizationId, String>,
    /// Organizations that the second pass removed.
    removed: Vec<OrganizationId>,
    pub(super) pass: PassHead,
    /// The number of sub-accounts in the row of the first organization.
    sub_accounts: i64,
    /// Rows or keys, each with its line.
    batch: Vec<(u64, RowValues)>,
    /// The change that the batch makes.
    change: fn(Rows) -> Change,
    bytes: usize,
    pub(super) rows: u64,
}

impl<'a> Load<'a> {
    pub(super) fn new(store: &'a Store, run: Run, transform: Transform) -> Self {
        Self {
            store,
            run,
            transform,
            people: People::default(),
            organizations: BTreeMap::new(),
            removed: Vec::new(),
            pass: PassHead { pass: 0, is_suspended_by_export: false },
            sub_accounts: 0,
            batch: Vec::new(),
            change: Change::Insert,
            bytes: 0,
            rows: 0,
        }
    }

    /// Loads all rows, to the last line of the file.
    pub(super) async fn load<R: BufRead>(
        &mut self,
        reader: &mut Reader<R>,
        report: ReportProgress<'_>,
    ) -> Result<(), ArchiveError> {
        while let Some(item) = reader.next()? {
            match item {
                Item::Pass(pass) => self.pass = pass,
                Item::Row(table, row) => {
                    self.rows += 1;
                    report(Progress {
                        phase: "importing",
                        table: &table.name,
                        rows: self.rows,
                        total_rows: None,
                    });
                    self.row(reader, &table, row).await?;
                }
                Item::Key(table, keys, key) => self.key(reader, &table, keys, key).await?,
                Item::End(table) => self.flush(&table).await?,
            }
        }
        for organization in std::mem::take(&mut self.removed) {
            let marks = self.store.reader()?.tx()?.organization_imports(self.run.root).await?;
            if let Some(mark) = marks.into_iter().find(|mark| mark.organization == organization) {
                discard_organization(self.store, self.run, mark).await?;
            }
        }
        if !self.organizations.contains_key(&self.run.root) {
            return Err(reader.damaged("the file does not contain its organization"));
        }
        if usize::try_from(self.sub_accounts) != Ok(self.organizations.len().saturating_sub(1)) {
            return Err(
                reader.damaged("sub_account_count differs from the number of sub-accounts in the file")
            );
        }
        Ok(())
    }

    /// Ends pending work and checks the rules between the stored rows. Returns the number of events that were pending.
    pub(super) async fn complete(&self) -> Result<u64, ArchiveError> {
        let ended = self.end_events().await?;
        for organization in self.organizations.keys() {
            while self.store.write(self.run.step(DeleteQueues(*organization))).await? {}
        }
        check_stored(self.store, self.organizations.keys().copied()).await?;
        Ok(ended)
    }

    /// The change that the rows of this pass make.
    fn change_of_rows(&self) -> fn(Rows) -> Change {
        if self.pass.pass == 1 { Change::Insert } else { Change::Upsert }
    }

    async fn row<R: BufRead>(
        &mut self,
        reader: &Reader<R>,
        table: &Arc<Table>,
        mut row: RowValues,
    ) -> Result<(), ArchiveError> {
        if table.name == PEOPLE {
            let (id, email) = (tables::id(table, &row, "id"), email_of(tables::value(table, &row, "email")));
            let (Some(id), Some(email)) = (id, email) else {
                return Err(reader.damaged("the line is not a person"));
            };
            return self.people.add(self.store, id, email).await;
        }
        check_people(reader, &self.people, table, &row)?;
        for person in named_people(table, &row) {
            self.people.meet(self.store, person).await?;
        }
        self.transform.apply(&self.people, table, &mut row)?;
        check_values(reader, &self.transform.hash_key, table, &row)?;
        if table.name == "organizations" {
            return self.organization(reader, table, row).await;
        }
        let is_known = self.organization_of(table, &row);
        let is_allowed =
            table.name != "credentials" || tables::text(table, &row, "kind").is_some_and(is_of_token);
        if !is_known || !is_allowed {
            return Err(reader.damaged("the row does not belong to an organization of the file"));
        }
        self.push(reader, table, row, self.change_of_rows()).await
    }

    /// Whether a row belongs to an organization of the file.
    fn organization_of(&self, table: &Table, row: &[ColumnValue]) -> bool {
        let column = table.tenant_column().map(|column| column.name.as_str());
        let id = column.and_then(|column| tables::id(table, row, column));
        id.is_some_and(|id| self.organizations.contains_key(&OrganizationId::new(id)))
    }

    /// Takes the row of an organization.
    async fn organization<R: BufRead>(
        &mut self,
        reader: &Reader<R>,
        table: &Arc<Table>,
        row: RowValues,
    ) -> Result<(), ArchiveError> {
        let (id, parent) = (tables::id(table, &row, "id"), tables::id(table, &row, "parent_id"));
        let (Some(id), Some(slug)) = (id, tables::text(table, &row, "slug").map(str::to_owned)) else {
            return Err(reader.damaged("the line is not an organization"));
        };
        let (id, root) = (OrganizationId::new(id), self.run.root);
        let expected = (id != root).then(|| root.uuid());
        if parent != expected {
            return Err(reader.damaged("the organization is neither that of the file nor its sub-account"));
        }
        if let (true, Some(ColumnValue::Int(count))) =
            (id == root, tables::value(table, &row, "sub_account_count"))
        {
            self.sub_accounts = *count;
        }
        if self.organizations.contains_key(&id) {
            return self.push(reader, table, row, self.change_of_rows()).await;
        }
        if id != root && self.organizations.len() >= MOST_ORGANIZATIONS {
            return Err(reader.damaged("the file has more sub-accounts than an organization can have"));
        }
        let table = Arc::clone(table);
        self.organizations.insert(id, slug.clone());
        self.store.write(self.run.step(StageOrganization { table, row, id, slug })).await
    }

    async fn key<R: BufRead>(
        &mut self,
        reader: &Reader<R>,
        of: &Arc<Table>,
        keys: Keys,
        mut key: RowValues,
    ) -> Result<(), ArchiveError> {
        if of.name == PEOPLE {
            return Ok(());
        }
        change_key(&self.people, of, &mut key);
        if !self.owns_key(of, &key).await? {
            return Err(reader.damaged("the key does not belong to an organization of the file"));
        }
        match (keys, key.first()) {
            (Keys::Removed, Some(ColumnValue::Id(id))) if of.name == "organizations" => {
                let id = OrganizationId::new(*id);
                self.organizations.remove(&id);
                self.removed.push(id);
                Ok(())
            }
            (Keys::Removed, _) => self.push(reader, of, key, Change::Remove).await,
            (Keys::Replaced, _) => self.push(reader, of, key, Change::Park).await,
        }
    }

    /// Whether the row with this key is one of the import, or does not exist.
    async fn owns_key(&self, of: &Table, key: &RowValues) -> Result<bool, ArchiveError> {
        let keys = tables::keys_of(of);
        if keys.tenant_column().is_some() {
            return Ok(self.organization_of(&keys, key));
        }
        let row = self.store.reader()?.tx()?.row_by_key(of, key).await?;
        Ok(row.is_none_or(|row| self.organization_of(of, &row)))
    }

    /// Adds a row or key to the batch, and writes the batch when it is full.
    async fn push<R: BufRead>(
        &mut self,
        reader: &Reader<R>,
        table: &Arc<Table>,
        row: RowValues,
        change: fn(Rows) -> Change,
    ) -> Result<(), ArchiveError> {
        self.bytes += row.iter().map(ColumnValue::size).sum::<usize>();
        self.batch.push((reader.line(), row));
        self.change = change;
        let is_full = self.batch.len() >= limits::MOVE_BATCH_ROWS || self.bytes >= limits::MOVE_BATCH_BYTES;
        if is_full { self.flush(table).await } else { Ok(()) }
    }

    /// Writes the batch, whose rows belong to `table`.
    async fn flush(&mut self, table: &Arc<Table>) -> Result<(), ArchiveError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let (lines, rows): (Vec<u64>, Vec<RowValues>) = std::mem::take(&mut self.batch).into_iter().unzip();
        let rows: Rows = rows.into();
        match self.apply(table, (self.change)(Arc::clone(&rows))).await {
            Err(ArchiveError::Refused { table: name, why }) => {
                let line = self.find_refused(table, &lines, &rows).await?;
                let what = format!("the database refuses a row of table {name}: {why}");
                Err(ArchiveError::Damaged { line, what })
            }
            applied => applied,
        }
    }

    /// The line of the first row of a batch that the database refuses. Applies the rows before it.
    async fn find_refused(
        &self,
        table: &Arc<Table>,
        lines: &[u64],
        rows: &Rows,
    ) -> Result<u64, ArchiveError> {
        for (line, row) in lines.iter().zip(rows.iter()) {
            match self.apply(table, (self.change)(Arc::from([row.clone()]))).await {
                Err(ArchiveError::Refused { .. }) => return Ok(*line),
                applied => applied?,
            }
        }
        Ok(lines.last().copied().unwrap_or_default())
    }

    async fn apply(&self, table: &Arc<Table>, change: Change) -> Result<(), ArchiveError> {
        let applied = self.store.write(self.run.step(Apply { table: Arc::clone(table), change })).await;
        applied.map_err(|error| error.of_table(table))
    }

    /// Marks the events that were pending in the source as failed. Returns their number.
    async fn end_events(&self) -> Result<u64, ArchiveError> {
        let (events, mut ended) = (table(&Catalog::now()?, "webhook_events")?, 0);
        for organization in self.organizations.keys() {
            let mut after: Option<RowValues> = None;
            loop {
                let rows = self
                    .store
                    .reader()?
                    .tx()?
                    .tenant_rows_after(
                        &events,
                        &[*organization],
                        after.as_deref(),
                        limits::ARCHIVE_BATCH_ROWS,
                    )
                    .await?;
                let Some(last) = rows.last() else { break };
                after = Some(events.key_of(last));
                let pending: Vec<PendingEvent> =
                    rows.iter().filter_map(|row| pending(&events, *organization, row)).collect();
                for part in pending.chunks(limits::MOVE_BATCH_ROWS) {
                    ended += part.len() as u64;
                    self.store.write(self.run.step(EndEvents(part.to_vec()))).await?;
                }
            }
        }
        Ok(ended)
    }
}

/// The event of a row, if it has an attempt to make.
fn pending(events: &Table, organization: OrganizationId, row: &RowValues) -> Option<PendingEvent> {
    let is_due = matches!(tables::value(events, row, "due_at"), Some(ColumnValue::Int(_)));
    let id = |column| tables::id(events, row, column);
    let (event, endpoint): (Uuid, Uuid) = (id("id")?, id("endpoint_id")?);
    (is_due || tables::text(events, row, "state") == Some("pending")).then(|| PendingEvent {
        organization,
        id: WebhookEventId::new(event),
        endpoint: WebhookEndpointId::new(endpoint),
    })
}
