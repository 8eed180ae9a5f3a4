//! One statement that should not work, and what came of it.

use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, PgConnection};

use super::TenantProbe;
use crate::Result;

/// What the database says to a statement without the right to it, and to a row that a policy forbids.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// A probe must not hold up the tenant's own work: a lock that it would have to wait for is not worth it.
const LIMITS: &str = "set local statement_timeout = '10s'; set local lock_timeout = '1s'";

#[derive(Debug)]
pub(super) enum Attempt {
    Done {
        rows: u64,
    },
    Refused,
    /// Neither: it stopped at something else.
    Failed {
        code: String,
        message: String,
    },
}

impl Attempt {
    /// A constraint is looked at only after the rights and the policies have let a row pass.
    pub(super) fn met_a_constraint(&self) -> bool {
        matches!(self, Self::Failed { code, .. } if code.starts_with("23"))
    }
}

impl TenantProbe {
    /// Runs a statement after others that prepare it, and rolls everything back.
    pub(super) async fn attempt(&mut self, preparation: &[String], statement: &str) -> Result<Attempt> {
        let begin = format!("rollback; begin; {LIMITS}");
        run(&mut self.connection, &begin).await?;
        for preparing in preparation {
            run(&mut self.connection, preparing).await?;
        }
        let outcome = run(&mut self.connection, statement).await;
        run(&mut self.connection, "rollback").await?;
        classify(outcome)
    }
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<u64, sqlx::Error> {
    let result = sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await?;
    Ok(result.rows_affected())
}

pub(super) fn classify(outcome: Result<u64, sqlx::Error>) -> Result<Attempt> {
    match outcome {
        Ok(rows) => Ok(Attempt::Done { rows }),
        Err(sqlx::Error::Database(error)) => {
            let code = error.code().map(std::borrow::Cow::into_owned).unwrap_or_default();
            if code == INSUFFICIENT_PRIVILEGE {
                return Ok(Attempt::Refused);
            }
            let error = error.downcast_ref::<PgDatabaseError>();
            Ok(Attempt::Failed { code, message: error.message().to_owned() })
        }
        Err(error) => Err(error.into()),
    }
}
