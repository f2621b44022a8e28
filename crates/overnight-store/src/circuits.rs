//! The circuits of vendors' accounts. Each is replaced as a whole, by whoever has seen what is there: two workers that learn
//! something at the same time both get their word in, and of two that want to try only one may.

use overnight_core::agent::{AccountId, BackendId};
use overnight_core::job::Label;
use overnight_core::policy::circuit::Circuit;
use overnight_core::units::Timestamp;

use crate::error::{CorruptRow, StoreError};
use crate::row::{self, to_json};
use crate::sql::{Row, sql};
use crate::store::Store;

/// Changes are tried again when somebody else was faster; more often than workers change one circuit in the same moment.
const TRIES: u32 = 50;

impl Store {
    /// What is known of every account. One of a backend that this version does not know is left out.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`].
    pub async fn circuits(&self) -> Result<Vec<(AccountId, Circuit)>, StoreError> {
        let text = "SELECT backend, account, circuit FROM circuits ORDER BY backend, account";
        let mut circuits = Vec::new();
        for found in self.all("read the circuits", sql(text)).await? {
            let name = row::text(&found, "?", "backend")?;
            let Some(backend) = BackendId::find(&name) else { continue };
            let account = row::text(&found, "?", "account")?;
            let label = Label::parse(&account).map_err(|why| CorruptRow::new(&account, "account", why))?;
            circuits.push((AccountId { backend, name: label }, circuit_of(&found, &account)?));
        }
        Ok(circuits)
    }

    /// Replaces a circuit by what `change` makes of it, at the database's time. `None` leaves it as it is. `change` is asked
    /// again when somebody else was faster. Returns the circuit as it stands then, and whether this changed it.
    ///
    /// # Errors
    /// [`StoreError::Database`], [`StoreError::Row`]; [`StoreError::Internal`] when others are always faster.
    pub async fn circuit_change(
        &self,
        account: &AccountId,
        change: impl Fn(&Circuit, Timestamp) -> Option<Circuit>,
    ) -> Result<(Circuit, bool), StoreError> {
        for _ in 0..TRIES {
            let (version, before, now) = self.circuit(account).await?;
            let Some(after) = change(&before, now).filter(|after| *after != before) else {
                return Ok((before, false));
            };
            if self.circuit_replace(account, version, &after).await? {
                return Ok((after, true));
            }
        }
        Err(StoreError::Internal { what: "a circuit is changed all the time by others" })
    }

    async fn circuit(&self, account: &AccountId) -> Result<(i64, Circuit, Timestamp), StoreError> {
        let text = "SELECT {now} AS now, (SELECT version FROM circuits WHERE backend = $1 AND account = $2) AS version, \
                    (SELECT circuit FROM circuits WHERE backend = $1 AND account = $2) AS circuit";
        let name = account.name.as_str();
        let query = sql(text).bind(account.backend.as_str()).bind(name);
        let found = self.one("read the circuit", query).await?;
        let now = Timestamp(row::number(&found, name, "now")?);
        let version = found.optional_number("version").map_err(crate::error::failed("read the circuit"))?;
        match version {
            Some(version) => Ok((version, circuit_of(&found, name)?, now)),
            None => Ok((0, Circuit::default(), now)),
        }
    }

    async fn circuit_replace(
        &self,
        account: &AccountId,
        version: i64,
        circuit: &Circuit,
    ) -> Result<bool, StoreError> {
        let text = "INSERT INTO circuits (backend, account, circuit, version) VALUES ($1, $2, $3, $4 + 1) \
                    ON CONFLICT (backend, account) DO UPDATE SET circuit = excluded.circuit, version = excluded.version \
                    WHERE circuits.version = $4";
        let mut tx = self.begin("change the circuit").await?;
        let change = sql(text)
            .bind(account.backend.as_str())
            .bind(account.name.as_str())
            .bind(to_json("circuit", circuit)?)
            .bind(version);
        let changed = tx.run(change).await? > 0;
        if changed {
            // Other workers look at it when they wake.
            tx.gives_work();
        }
        tx.commit().await?;
        Ok(changed)
    }
}

fn circuit_of(found: &Row, account: &str) -> Result<Circuit, StoreError> {
    let text = row::text(found, account, "circuit")?;
    let circuit = serde_json::from_str(&text);
    circuit.map_err(|why| CorruptRow::new(account, "circuit", why).into())
}
