//! `overnight budget`: what is left of each budget, and how to allow more for a while.

use std::fmt::Write;

use overnight_core::agent::LimitKind;
use overnight_core::id::RepositoryId;
use overnight_core::job::{ExitCode, ParkReason};
use overnight_core::policy::budget::{Budgets, Scope, Totals, shown};
use overnight_core::text::nearest;
use overnight_core::units::Timestamp;
use overnight_store::{NewRaise, Raise, Repository, SpendQuery, Store};
use serde::Serialize;
use serde_json::Value;

use crate::app::{App, store_error};
use crate::budget_order;
use crate::cli::budget_args::{BudgetAction, BudgetArgs, BudgetName};
use crate::commands::as_value;
use crate::error::{AppError, Outcome};
use crate::output::{BAD, BOLD, DIM, WARN, styled};
use crate::render::words::{moment, plural};

/// One limit, and how it stands. Amounts: micro-dollars, tokens, answers, milliseconds, sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct BudgetView {
    budget: &'static str,
    repository: Option<String>,
    kind: &'static str,
    configured: u64,
    /// What people have added for now.
    raised: u64,
    spent: u64,
    left: u64,
    /// Of the whole, rounded down.
    percent: u64,
}

#[derive(Debug, Serialize)]
struct RaiseView {
    budget: &'static str,
    repository: Option<String>,
    by: overnight_core::policy::budget::Amounts,
    until_ms: Timestamp,
}

#[derive(Debug, Serialize)]
struct BudgetsView {
    budgets: Vec<BudgetView>,
    raised: Vec<RaiseView>,
}

/// # Errors
/// When the store fails, there is no such repository, or the budget that is to be raised is not limited.
pub async fn run(app: &App, args: &BudgetArgs) -> Outcome {
    match &args.action {
        None => show(app, args.json).await,
        Some(BudgetAction::Raise { budget, repo, by, length }) => {
            let store = app.store().await?;
            let repository = named(&store, repo.as_deref()).await?;
            let scope = scope(*budget, repository.as_ref())?;
            let by = budget_order::amounts(*by);
            is_limited(&app.config().budget.all, scope, |kind| by.get(kind).is_some())?;
            let id = repository.as_ref().map(|repository| repository.id.clone());
            let new = NewRaise { scope, repository: id, by, length: *length };
            store.budget_raise(&new).await.map_err(|error| store_error(&error))?;
            let until = store.now().await.map_err(|error| store_error(&error))?.plus(*length);
            app.out.say(&format!("{} is raised until {}", title(scope, repository.as_ref()), moment(until)));
            wake(app, &store, scope).await
        }
        Some(BudgetAction::Clear { budget, repo }) => {
            let store = app.store().await?;
            let repository = named(&store, repo.as_deref()).await?;
            let scope = scope(*budget, repository.as_ref())?;
            clear(app, &store, scope, repository.as_ref()).await
        }
    }
}

async fn clear(app: &App, store: &Store, scope: Scope, repository: Option<&Repository>) -> Outcome {
    let id = repository.map(|repository| &repository.id);
    let ended = store.budget_lower(scope, id).await.map_err(|error| store_error(&error))?;
    if let (Scope::Velocity, Some(id)) = (scope, id) {
        store.velocity_clear(id).await.map_err(|error| store_error(&error))?;
        app.out.say(&format!("{} counts from now", title(scope, repository)));
        return wake(app, store, scope).await;
    }
    app.out.say(&match ended {
        0 => format!("{} was not raised", title(scope, repository)),
        _ => format!("{} is what is configured again", title(scope, repository)),
    });
    Ok(ExitCode::Done)
}

/// Jobs that wait for a budget look at it again; one that is still used up lets them wait on.
async fn wake(app: &App, store: &Store, scope: Scope) -> Outcome {
    let reason = if scope == Scope::Velocity { ParkReason::Velocity } else { ParkReason::DailyBudget };
    let woken = store.jobs_wake(reason, None, false).await.map_err(|error| store_error(&error))?;
    if woken > 0 {
        app.out.say(&format!("{} that waited for a budget can go on", plural(woken, "job")));
    }
    Ok(ExitCode::Done)
}

fn scope(budget: BudgetName, repository: Option<&Repository>) -> Result<Scope, AppError> {
    match (budget, repository) {
        (BudgetName::Day, None) => Ok(Scope::Day),
        (BudgetName::Day, Some(_)) => Ok(Scope::RepositoryDay),
        (BudgetName::Velocity, Some(_)) => Ok(Scope::Velocity),
        (BudgetName::Velocity, None) => Err(AppError::usage("velocity is that of one repository")
            .help("name it: overnight budget … velocity --repo NAME")),
    }
}

/// What has no limit cannot be raised: that would change nothing, and nobody would notice.
fn is_limited(budgets: &Budgets, scope: Scope, asked: impl Fn(LimitKind) -> bool) -> Result<(), AppError> {
    let limited = |kind: &LimitKind| budgets.of(scope).is_some_and(|amounts| amounts.get(*kind).is_some());
    let missing = LimitKind::ALL.into_iter().find(|kind| asked(*kind) && !limited(kind));
    missing.map_or(Ok(()), |kind| {
        let key = format!("budget.{}.{}", scope.code(), kind.code());
        Err(AppError::usage(format!("{key} is not limited, so it cannot be raised"))
            .help("overnight budget shows what is limited; overnight help config says how to limit it"))
    })
}

async fn named(store: &Store, name: Option<&str>) -> Result<Option<Repository>, AppError> {
    let Some(name) = name else { return Ok(None) };
    let all = store.repositories().await.map_err(|error| store_error(&error))?;
    if let Some(found) = all.iter().find(|repository| repository.name == name) {
        return Ok(Some(found.clone()));
    }
    let meant = nearest(name, all.iter().map(|repository| repository.name.as_str()));
    let help = meant.map_or_else(
        || "a repository is known from its first job on".to_owned(),
        |near| format!("did you mean {near}?"),
    );
    Err(AppError::usage(format!("there is no repository {name:?}")).help(help))
}

async fn show(app: &App, json: bool) -> Outcome {
    let budgets = &app.config().budget.all;
    let BudgetsView { budgets: views, raised: raises } = match app.store_if_any().await? {
        Some(store) => look(&store, budgets).await?,
        None => BudgetsView {
            budgets: of_scope(budgets, Scope::Day, None, &Totals::default()),
            raised: Vec::new(),
        },
    };
    if json {
        app.out.json("budgets", &BudgetsView { budgets: views, raised: raises })?;
        return Ok(ExitCode::Done);
    }
    if views.is_empty() {
        app.out.say(
            "no budget is set; limit a day with budget.day.cost, or a repository that publishes nothing with budget.velocity.cost \
             (overnight help config)",
        );
        return Ok(ExitCode::Done);
    }
    app.out.data(&table(&views, &raises))?;
    Ok(ExitCode::Done)
}

async fn look(store: &Store, budgets: &Budgets) -> Result<BudgetsView, AppError> {
    let all = store.repositories().await.map_err(|error| store_error(&error))?;
    let raises = store.budget_raises().await.map_err(|error| store_error(&error))?;
    Ok(BudgetsView { budgets: views(store, budgets, &all).await?, raised: raise_views(&raises, &all) })
}

/// What is left of each budget, as JSON.
///
/// # Errors
/// When the store fails.
pub async fn document(store: &Store, budgets: &Budgets) -> Result<Value, AppError> {
    as_value(&look(store, budgets).await?)
}

async fn views(store: &Store, budgets: &Budgets, all: &[Repository]) -> Result<Vec<BudgetView>, AppError> {
    let totals = async |repository: Option<RepositoryId>, scopes: &[Scope]| {
        let query = SpendQuery { session: None, repository, scopes: scopes.to_vec() };
        store.spend_totals(&query).await.map_err(|error| store_error(&error))
    };
    let of_all = totals(None, &[Scope::Day]).await?;
    let mut views = of_scope(budgets, Scope::Day, None, &of_all);
    let scopes = [Scope::RepositoryDay, Scope::Velocity];
    if scopes.iter().all(|scope| budgets.of(*scope).is_none_or(|amounts| amounts.is_empty())) {
        return Ok(views);
    }
    for repository in all {
        let totals = totals(Some(repository.id.clone()), &scopes).await?;
        for scope in scopes {
            views.extend(of_scope(budgets, scope, Some(&repository.name), &totals));
        }
    }
    Ok(views)
}

fn of_scope(budgets: &Budgets, scope: Scope, repository: Option<&str>, totals: &Totals) -> Vec<BudgetView> {
    let (spent, raised) = (totals.spent(scope), totals.raised(scope));
    let view = |kind: LimitKind| {
        let configured = budgets.of(scope)?.get(kind)?;
        let whole = configured.saturating_add(raised.get(kind).unwrap_or(0));
        let spent = spent.get(kind);
        let percent = u128::from(spent) * 100 / u128::from(whole.max(1));
        Some(BudgetView {
            budget: scope.code(),
            repository: repository.map(str::to_owned),
            kind: kind.code(),
            configured,
            raised: whole - configured,
            spent,
            left: whole.saturating_sub(spent),
            percent: u64::try_from(percent).unwrap_or(u64::MAX),
        })
    };
    LimitKind::ALL.into_iter().filter_map(view).collect()
}

fn raise_views(raises: &[Raise], all: &[Repository]) -> Vec<RaiseView> {
    let name = |id: &RepositoryId| all.iter().find(|one| one.id == *id).map(|one| one.name.clone());
    let view = |raise: &Raise| RaiseView {
        budget: raise.scope.code(),
        repository: raise.repository.as_ref().and_then(name),
        by: raise.by,
        until_ms: raise.until,
    };
    raises.iter().map(view).collect()
}

fn title(scope: Scope, repository: Option<&Repository>) -> String {
    let of = repository.map(|repository| format!(" of {}", repository.name)).unwrap_or_default();
    let what = if scope == Scope::Velocity { "the velocity" } else { "the budget of the day" };
    format!("{what}{of}")
}

fn table(views: &[BudgetView], raises: &[RaiseView]) -> String {
    let row = |view: &BudgetView| {
        let kind =
            LimitKind::ALL.into_iter().find(|kind| kind.code() == view.kind).unwrap_or(LimitKind::Tokens);
        let name = view.repository.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let raised = if view.raised > 0 { format!("+{}", shown(kind, view.raised)) } else { String::new() };
        [
            format!("{}{name}", view.budget),
            shown(kind, view.spent),
            shown(kind, view.configured),
            raised,
            shown(kind, view.left),
            format!("{}%", view.percent),
        ]
    };
    let heads = ["BUDGET", "SPENT", "OF", "RAISED", "LEFT", "USED"].map(str::to_owned);
    let rows: Vec<[String; 6]> = std::iter::once(heads).chain(views.iter().map(row)).collect();
    let wide: Vec<usize> =
        (0..6).map(|n| rows.iter().map(|row| row[n].chars().count()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for (number, row) in rows.iter().enumerate() {
        let mut line = format!("{:<1$}", row[0], wide[0]);
        for (cell, wide) in row.iter().zip(&wide).skip(1) {
            // Writing to a String cannot fail.
            let _ = write!(line, "  {cell:>wide$}");
        }
        let percent = number.checked_sub(1).map(|n| views[n].percent);
        let line = match percent {
            None => styled(DIM, &line),
            Some(percent) if percent >= 100 => styled(BAD, &line),
            Some(percent) if percent >= overnight_core::policy::budget::WARN_AT => styled(WARN, &line),
            Some(_) => line,
        };
        let _ = writeln!(text, "{line}");
    }
    for raise in raises {
        let name = raise.repository.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let until = moment(raise.until_ms);
        let _ =
            writeln!(text, "{} is raised until {until}", styled(BOLD, &format!("{}{name}", raise.budget)));
    }
    text
}

#[cfg(test)]
mod tests {
    use overnight_core::policy::budget::{Amounts, Spent};
    use overnight_core::units::MicroDollars;

    use super::*;

    #[test]
    fn each_limit_says_how_it_stands() {
        let day = Amounts { cost: Some(MicroDollars(20_000_000)), sessions: Some(10), ..Amounts::default() };
        let budgets = Budgets { day, repository_day: day, ..Budgets::default() };
        let mut totals = Totals::default();
        let spent = Spent { cost: MicroDollars(24_500_000), sessions: 8, ..Spent::default() };
        totals.spent.insert(Scope::Day, spent);
        let more = Amounts { cost: Some(MicroDollars(10_000_000)), ..Amounts::default() };
        totals.raised.insert(Scope::Day, more);
        let mut views = of_scope(&budgets, Scope::Day, None, &totals);
        assert_eq!((views[0].left, views[0].percent, views[1].percent), (5_500_000, 81, 80));
        views.extend(of_scope(&budgets, Scope::RepositoryDay, Some("app"), &totals));
        let raise = RaiseView { budget: "day", repository: None, by: more, until_ms: Timestamp(0) };
        let text = table(&views, &[raise]);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }

    #[test]
    fn what_is_not_limited_cannot_be_raised() {
        let day = Amounts { cost: Some(MicroDollars(1)), ..Amounts::default() };
        let budgets = Budgets { day, ..Budgets::default() };
        assert!(is_limited(&budgets, Scope::Day, |kind| kind == LimitKind::Cost).is_ok());
        let error = is_limited(&budgets, Scope::Day, |kind| kind == LimitKind::Tokens).unwrap_err();
        assert!(error.render().contains("budget.day.tokens"));
    }
}
