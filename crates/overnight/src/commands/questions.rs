//! `overnight questions` and `overnight answer`: what agents ask, and what they are told.

use std::fmt::Write;
use std::io::Read;

use overnight_core::job::{ExitCode, JobState, ParkReason};
use overnight_core::talk::{QUESTION_CHARS, Question, QuestionState, QuestionView};
use overnight_core::text::{for_terminal, one_line};
use overnight_core::units::Timestamp;
use overnight_store::{MeantError, QuestionFilter, Reply, Store, TalkError};

use crate::app::{App, find_error, store_error};
use crate::cli::talk_args::{AnswerArgs, QuestionsArgs};
use crate::error::{AppError, Outcome};
use crate::output::{BOLD, DIM, styled};
use crate::render::words;
use crate::workforce::Workforce;

/// # Errors
/// When the store fails.
pub async fn list(app: &App, args: &QuestionsArgs) -> Outcome {
    let (questions, now) = match app.store_if_any().await? {
        Some(store) => {
            let filter = QuestionFilter { all: args.all, ..QuestionFilter::default() };
            let now = store.now().await.map_err(|error| store_error(&error))?;
            (store.questions(&filter).await.map_err(|error| talk_error(&error))?, now)
        }
        None => (Vec::new(), Timestamp(0)),
    };
    let views: Vec<QuestionView> = questions.into_iter().map(|one| QuestionView::of(one, now)).collect();
    if args.json {
        app.out.json("questions", &views)?;
    } else if views.is_empty() {
        app.out.say(if args.all { "no agent has asked anything" } else { "no questions are open" });
    } else {
        app.out.data(&views.iter().map(page).collect::<String>())?;
    }
    Ok(ExitCode::Done)
}

pub(super) fn page(view: &QuestionView) -> String {
    let QuestionView { name, state, answer_with, question } = view;
    let until = match state {
        QuestionState::Open => format!("open until {}", words::moment(question.expires_at)),
        QuestionState::Answered | QuestionState::Cancelled | QuestionState::Expired => {
            state.as_str().to_owned()
        }
    };
    let mut text = format!("{}  {}\n", styled(BOLD, name), styled(DIM, &until));
    // Writing to a String cannot fail.
    for line in for_terminal(&question.text).lines() {
        let _ = writeln!(text, "  {line}");
    }
    for (number, option) in question.options.iter().enumerate() {
        let _ = writeln!(text, "    {}. {}", number + 1, one_line(option, 200));
    }
    if let Some(answer) = &question.answer {
        let _ = writeln!(text, "  answer: {}", one_line(&answer.text, 300));
    }
    if let Some(how) = answer_with {
        let _ = writeln!(text, "  {how}");
    }
    text
}

/// # Errors
/// When there is no such question, or it cannot be answered any more.
pub async fn answer(app: &App, args: &AnswerArgs) -> Outcome {
    let named = args.question.split_once('/').map_or(args.question.as_str(), |(job, _)| job);
    let store = app.store_for(named).await?;
    let question = find(&store, &args.question).await?;
    let settled = match (&args.text, args.option) {
        _ if args.take_back => store.cancel_question(&question.id).await,
        (_, Some(number)) => store.answer(&question.id, &Reply::Option(number)).await,
        (text, None) => {
            let text = spoken(text.as_deref().unwrap_or_default(), QUESTION_CHARS)?;
            store.answer(&question.id, &Reply::Text(text)).await
        }
    };
    let settled = settled.map_err(|error| talk_error(&error))?;
    let job = store.job(&settled.job).await.map_err(|error| store_error(&error))?;
    let key = &job.key;
    let what = if args.take_back { "taken back" } else { "answered" };
    let served = Workforce::of(&store).await?.serves(None);
    let next = match &job.state {
        JobState::Parked { reason: ParkReason::Answer, .. } => {
            format!("{key} still waits for another answer: overnight questions")
        }
        _ if job.holder.is_some() => "its agent is told with its next turn".to_owned(),
        _ if served => format!("a worker goes on with it; watch it: overnight logs -f {key}"),
        _ => format!("go on: overnight resume {key}"),
    };
    app.out.say(&format!("{} is {what}; {next}", settled.name()));
    if args.json {
        let now = store.now().await.map_err(|error| store_error(&error))?;
        app.out.json("question", &QuestionView::of(settled, now))?;
    }
    Ok(ExitCode::Done)
}

async fn find(store: &Store, wanted: &str) -> Result<Question, AppError> {
    store.question_meant(wanted).await.map_err(|error| {
        let what = error.to_string();
        match error {
            MeantError::Talk(error) => talk_error(&error),
            MeantError::Job(error) => find_error(&error),
            MeantError::SeveralOpen { questions, .. } => {
                let names: Vec<String> = questions.iter().map(Question::how_to_answer).collect();
                AppError::usage(what).help(format!("answer one of them:\n{}", names.join("\n")))
            }
            MeantError::NoneOpen { key } => {
                AppError::usage(what).help(format!("tell it something: overnight tell {key} \"…\""))
            }
        }
    })
}

/// What was typed, or what comes from standard input.
pub(super) fn spoken(text: &str, most: usize) -> Result<String, AppError> {
    if text != "-" {
        return Ok(text.to_owned());
    }
    let mut read = String::new();
    // Four bytes to a character; one more shows that there was more.
    let limit = most as u64 * 4 + 1;
    let reading = std::io::stdin().lock().take(limit).read_to_string(&mut read);
    reading.map_err(|error| AppError::usage("standard input cannot be read").because(&error))?;
    Ok(read)
}

/// What could not be said, and what to do.
pub(crate) fn talk_error(error: &TalkError) -> AppError {
    let plain = AppError::usage(error.to_string());
    match error {
        TalkError::UnknownQuestion { .. } => plain.help("overnight questions --all lists every question"),
        TalkError::NoSuchOption { .. } => plain.help("overnight questions shows what is offered"),
        TalkError::Expired { key, .. } | TalkError::Publishing { key } | TalkError::Ended { key } => {
            let help = match error {
                TalkError::Expired { .. } => format!("tell it something: overnight tell {key} \"…\""),
                _ => format!(
                    "say what is to be done next, once it has ended: overnight continue {key} -m \"…\""
                ),
            };
            plain.help(help)
        }
        TalkError::Store(error) => store_error(error),
        TalkError::Words(_)
        | TalkError::UnknownMessage { .. }
        | TalkError::Answered { .. }
        | TalkError::Cancelled { .. }
        | TalkError::TooManyQuestions { .. }
        | TalkError::TooManyMessages { .. }
        | TalkError::AnotherRepository { .. }
        | TalkError::NotWorking { .. } => plain,
    }
}
