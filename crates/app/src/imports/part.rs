//! A part of an import: some rows, in one transaction with the progress.

use std::sync::Arc;

use tenantry_core::ExecutionContext;
use tenantry_core::customer::ImportState;
use tenantry_core::token::RequiredScope;
use tenantry_store::{CustomerImport, Generation, Party, Tx, UseCase};

use super::row::{self, Outcome, RowWork};
use super::{End, Fault, ImportFields, ImportRow, finish};
use crate::credentials::Verification;
use crate::{Caller, Error, Requester, TeamPermission, limits};

const CUSTOMERS: RequiredScope = RequiredScope::new("customers:write");

/// Carries out the next rows of an import, as many as one transaction may.
pub(super) struct ImportPart {
    /// The import as the worker knows it.
    pub(super) before: CustomerImport,
    /// The number of the first of `rows`.
    pub(super) first_row: i64,
    /// Rows of the current chunk.
    pub(super) rows: Arc<[ImportRow]>,
    /// The number of the first row of the chunk, and its bytes, if it ends with `rows`.
    pub(super) chunk: Option<(i64, i64)>,
    pub(super) generation: Arc<Generation>,
}

/// The reason of a dry run whose keys have no room.
const NO_ROOM: &str = "the imports store too much for a dry run of this file: check it in several files";

/// The cost of a row that writes nothing.
const COST_OF_READS: i64 = 2;

/// The reason why a part ends before its rows.
#[derive(Debug, Clone, Copy)]
enum Pause {
    /// The events of the next row have room after these seconds.
    Waits(u64),
    /// The keys of the next row of a dry run have no room.
    NoRoom,
}

impl UseCase for ImportPart {
    /// The import, and whether it pauses. `None` if another worker has changed the import meanwhile.
    type Output = Option<(CustomerImport, bool)>;
    type Error = Error;
    const IS_LONG: bool = true;

    fn party(&self) -> Party {
        Party { organization: Some(self.before.organization), limited_as: Some(self.before.owner.uuid()) }
    }

    async fn run(&self, tx: &mut Tx<'_>, context: &mut ExecutionContext) -> Result<Self::Output, Error> {
        let (organization, id) = (self.before.organization, self.before.id);
        let found = tx.customer_import_for_update(organization, id).await?;
        let is_known = |import: &CustomerImport| {
            import.state == ImportState::Running && import.counts.done() == self.before.counts.done()
        };
        let Some(mut import) = found.filter(is_known) else { return Ok(None) };
        let now = context.now();
        import.due_at = Some(now.plus_seconds(limits::IMPORT_LEASE_S));
        import.attempts = 0;
        let by = match self.requester(tx, context).await? {
            Ok(by) => by,
            Err(reason) => {
                finish(&mut import, End::Failed(reason), now);
                tx.customer_import_save(&import).await?;
                return Ok(Some((import, false)));
            }
        };
        let endpoints = i64::try_from(tx.webhook_endpoint_count(organization).await?).unwrap_or(i64::MAX);
        let endpoints = if import.is_dry_run { 0 } else { endpoints };
        let by = if import.is_dry_run { by.on_trial() } else { by };
        let room = self.room(tx).await?;
        let cost_left = limits::IMPORT_COST_PER_TRANSACTION;
        let work = RowWork::new(&import, by, endpoints);
        let mut part = Part { import: &mut import, work, cost_left, room };
        let done_of_rows = part.import.counts.done().saturating_add(1).saturating_sub(self.first_row);
        let rows = self.rows.get(usize::try_from(done_of_rows).unwrap_or(0)..).unwrap_or_default();
        let pause = part.run(tx, context, rows).await?;
        if let Some(Pause::Waits(seconds)) = pause {
            import.due_at = Some(now.plus_seconds(i64::try_from(seconds).unwrap_or(i64::MAX)));
        }
        let of_rows = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        if let Some((chunk_row, bytes)) = self.chunk
            && import.counts.done() >= self.first_row.saturating_add(of_rows).saturating_sub(1)
        {
            tx.customer_import_chunk_delete((organization, id), chunk_row).await?;
            import.stored_bytes = import.stored_bytes.saturating_sub(bytes);
        }
        if import.counts.done() >= import.rows {
            finish(&mut import, End::Completed, now);
        } else if matches!(pause, Some(Pause::NoRoom)) {
            finish(&mut import, End::Failed(NO_ROOM), now);
        } else if self.rows.is_empty() {
            finish(&mut import, End::Failed("the rest of the file is missing"), now);
        }
        tx.customer_import_save(&import).await?;
        Ok(Some((import, pause.is_some())))
    }
}

impl ImportPart {
    /// The bytes that the owner's imports may still store. Those of the operator have no limit.
    async fn room(&self, tx: &mut Tx<'_>) -> Result<i64, Error> {
        if self.before.secret.is_none() || !self.before.is_dry_run {
            return Ok(i64::MAX);
        }
        let (_, stored) = tx.customer_imports_stored(self.before.owner).await?;
        Ok(limits::IMPORT_BYTES_PER_OWNER.saturating_sub(stored))
    }

    /// The requester with the rights that its secret has now, or the reason why the import fails.
    async fn requester(
        &self,
        tx: &mut Tx<'_>,
        context: &ExecutionContext,
    ) -> Result<Result<Requester, &'static str>, Error> {
        const NO_ORGANIZATION: &str = "the organization is suspended or deleted";
        const NO_RIGHT: &str =
            "the secret of the import is revoked or has ended, or may not change customers any more";
        let CustomerImport { organization, secret, request_id, .. } = &self.before;
        if !tx.organization_is_open(*organization).await? {
            return Ok(Err(NO_ORGANIZATION));
        }
        let Some(secret) = secret else {
            return Ok(Ok(Requester::operator()));
        };
        let verification = Verification::start(*secret, &self.generation);
        let owner = tx.credential_owner(secret, context.now()).await?;
        let caller = owner.and_then(|owner| Caller::from_owner(owner, verification));
        let allowed = |caller: &Caller| !caller.is_suspended() && caller.allows(CUSTOMERS);
        let Some(caller) = caller.filter(allowed) else { return Ok(Err(NO_RIGHT)) };
        let by = Requester::caller(&Arc::new(caller), request_id.clone());
        let may_go_on =
            by.has_access(*organization) && by.check(*organization, TeamPermission::ManageCustomers).is_ok();
        Ok(if may_go_on { Ok(by) } else { Err(NO_RIGHT) })
    }
}

/// The work of one transaction.
struct Part<'a> {
    import: &'a mut CustomerImport,
    work: RowWork,
    /// The database rows that the part may still write.
    cost_left: i64,
    /// The bytes that the keys of a dry run may still take.
    room: i64,
}

impl Part<'_> {
    /// Carries out rows until the transaction has reached its size, or the next row has no room.
    async fn run(
        &mut self,
        tx: &mut Tx<'_>,
        context: &mut ExecutionContext,
        rows: &[ImportRow],
    ) -> Result<Option<Pause>, Error> {
        for row in rows {
            if self.cost_left <= 0 {
                break;
            }
            if self.room <= 0 {
                return Ok(Some(Pause::NoRoom));
            }
            let outcome = match &row.content {
                Err(faults) => Outcome::Failed(faults.clone()),
                Ok(fields) => self.work.carry_out(tx, context, fields, &mut self.cost_left).await?,
            };
            self.cost_left = self.cost_left.saturating_sub(COST_OF_READS);
            if let (Outcome::Created, Ok(fields)) = (&outcome, &row.content) {
                self.note_keys(tx, fields).await?;
            }
            let number = self.import.counts.done().saturating_add(1);
            let counts = &mut self.import.counts;
            match outcome {
                Outcome::Created => counts.created += 1,
                Outcome::Updated => counts.updated += 1,
                Outcome::Unchanged => counts.unchanged += 1,
                Outcome::Skipped => counts.skipped += 1,
                Outcome::Waits(seconds) => return Ok(Some(Pause::Waits(seconds))),
                Outcome::Failed(faults) => {
                    counts.failed += 1;
                    if counts.failed <= limits::IMPORT_FAILURES_KEPT {
                        let import = (self.import.organization, self.import.id);
                        let faults = stored(&faults)?;
                        tx.customer_import_failure_insert(import, number, &faults).await?;
                        self.count_stored(&faults);
                    }
                }
            }
        }
        Ok(None)
    }

    /// Notes the keys of a row by which a dry run would create a customer, for the rows after it.
    async fn note_keys(&mut self, tx: &mut Tx<'_>, fields: &ImportFields) -> Result<(), Error> {
        if self.import.is_dry_run {
            for key in row::keys(fields) {
                tx.customer_import_key_insert((self.import.organization, self.import.id), &key).await?;
                self.count_stored(&key);
            }
        }
        Ok(())
    }

    /// Counts a row that is stored for the import.
    fn count_stored(&mut self, content: &str) {
        let bytes =
            i64::try_from(content.len()).unwrap_or(i64::MAX).saturating_add(limits::IMPORT_ROW_OVERHEAD);
        self.import.stored_bytes = self.import.stored_bytes.saturating_add(bytes);
        self.room = self.room.saturating_sub(bytes);
    }
}

/// The faults as they are stored: the first ones, with the beginning of each message.
fn stored(faults: &[Fault]) -> Result<String, Error> {
    let cut = |text: &str, most: usize| text.chars().take(most).collect::<String>();
    let faults = faults.iter().take(limits::IMPORT_FAULTS_PER_ROW);
    let faults: Vec<Fault> =
        faults.map(|fault| Fault::new(cut(&fault.field, 100), cut(&fault.message, 200))).collect();
    Ok(serde_json::to_string(&faults)?)
}
