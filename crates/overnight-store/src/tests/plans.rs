//! How the databases go about a claim: along the index, however many jobs stand in front.

use super::*;
use crate::claim::few;
use crate::claim::heads::HEADS;
use crate::claim::next::of_spot_text;

const BUSY: i64 = 50_000;

on_both!(a_claim_reads_few_rows_behind_many_jobs_of_one_lane);

/// 50,000 ready jobs of one lane, and 1,000 of two hundred repositories behind them.
async fn fill(store: &Store) -> Job {
    let first = enqueue_in(store, "busy", "x").await;
    let copy = |table: &str, columns: &str, values: &str, key: &str| {
        format!(
            "INSERT INTO {table} ({columns}) \
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {BUSY}) \
             SELECT {values} FROM n CROSS JOIN {table} t WHERE t.{key} = $1"
        )
    };
    let jobs = copy(
        "jobs",
        "id, repository_id, number, key, state, state_name, stage, ended, fence, last_event, created_at, updated_at, \
         phase, lane_id, position",
        "t.id || '.' || i, t.repository_id, i + 1, 'busy-' || (i + 1), t.state, t.state_name, t.stage, FALSE, 0, 1, \
         t.created_at, t.updated_at, 'ready', t.lane_id, t.position - 60000 + i",
        "id",
    );
    let specs =
        copy("job_specs", "job_id, key, spec", "t.job_id || '.' || i, 'busy-' || (i + 1), t.spec", "job_id");
    for text in [jobs, specs] {
        store.run("test", sql(text).bind(first.id.as_str())).await.unwrap();
    }
    let mut others = Vec::new();
    for number in 0..200 {
        others.extend(vec![new_job(store, &format!("r{number}")).await; 5]);
    }
    store.jobs_enqueue(&others).await.unwrap();
    first
}

/// How the statement is carried out with these values, line by line.
async fn plan(store: &Store, statement: &str, values: &[&str]) -> Vec<String> {
    let mut tx = store.begin("test").await.unwrap();
    if matches!(store.database(), Database::Sqlite(_)) {
        let explain = sql(format!("EXPLAIN QUERY PLAN {statement}")).bind_all(values.iter().copied());
        let found = tx.all(explain).await.unwrap();
        return found.iter().map(|line| line.text("detail").unwrap()).collect();
    }
    // As a connection does that has used the statement often: with one plan for all values.
    tx.run(sql("SET LOCAL plan_cache_mode = force_generic_plan")).await.unwrap();
    tx.run(sql(format!("PREPARE asked AS {statement}"))).await.unwrap();
    let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    let explain = format!("EXPLAIN (ANALYZE, TIMING OFF) EXECUTE asked ({})", values.join(", "));
    let found = tx.all(sql(explain)).await.unwrap();
    tx.run(sql("DEALLOCATE asked")).await.unwrap();
    found.iter().map(|line| line.text("QUERY PLAN").unwrap()).collect()
}

/// The numbers after this word, as in `(actual rows=5 loops=1)`.
fn numbers_after(line: &str, word: &str) -> Vec<u64> {
    let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
    line.split(word).skip(1).filter_map(|rest| digits(rest).parse().ok()).collect()
}

fn assert_goes_along_the_index(plan: &[String]) {
    let text = plan.join("\n");
    assert!(text.contains("jobs_open"), "{text}");
    for line in plan {
        let whole = line.contains("Seq Scan on jobs")
            || line.contains("Seq Scan on job_specs")
            || line.starts_with("SCAN ") && line.contains("job") && !line.contains("INDEX");
        assert!(
            !whole && !line.contains("TEMP B-TREE FOR ORDER BY"),
            "reads and sorts all of it: {line}\n{text}"
        );
        // What a step of the plan brought, in all of its loops.
        if let (Some(actual), Some(loops)) =
            (line.split("actual").nth(1), numbers_after(line, "loops=").pop())
        {
            let rows = numbers_after(actual, "rows=").pop().unwrap_or_default();
            assert!(rows * loops <= 2_000, "{} rows: {line}\n{text}", rows * loops);
        }
        for removed in numbers_after(line, "Removed by Filter: ") {
            assert!(removed < 1_000, "looked at and thrown away: {line}\n{text}");
        }
    }
}

async fn a_claim_reads_few_rows_behind_many_jobs_of_one_lane(f: &Fixture) {
    let busy = fill(&f.store).await;
    let lane = sql("SELECT lane_id FROM jobs WHERE id = $1").bind(busy.id.as_str());
    let lane = f.store.one("test", lane).await.unwrap().text("lane_id").unwrap();
    let statements = [
        (HEADS.to_owned(), vec!["here", "*"]),
        (few::text(), vec!["9"]),
        (of_spot_text("{lock_free}"), vec![lane.as_str(), "", "10"]),
    ];
    // Before anybody has told the planner of the new rows, and after.
    for told in [false, true] {
        if told {
            f.store.run("test", sql("ANALYZE")).await.unwrap();
        }
        for (statement, values) in &statements {
            assert_goes_along_the_index(&plan(&f.store, statement, values).await);
        }
    }
    let taken = claim_next(&f.store, "w", 201).await;
    let repositories: std::collections::BTreeSet<_> = taken.iter().map(|one| &one.job.repository).collect();
    assert_eq!((taken.len(), repositories.len()), (201, 201));
}
