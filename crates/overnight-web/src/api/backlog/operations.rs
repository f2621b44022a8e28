//! What the API can do with the backlog: this group's part of the table.

use overnight_core::access::Scope;

use crate::api::fault::Code;
use crate::api::operations::{
    self as table, Gives, LIMIT, Method, ONCE, Operation, Param, READ, header, path, query,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    Repositories,
    RepositoryAdd,
    RepositoryShow,
    RepositoryEdit,
    RepositoryRemove,
    Items,
    ItemAdd,
    ItemShow,
    ItemEdit,
    ItemRemove,
    ItemMark,
    ItemExport,
    Start,
    Import,
}

const fn op(op: Op) -> table::Op {
    table::Op::Backlog(op)
}

const KEY: Param = path("key", "JobName", "Key (app-12) or id");
const NAME: Param = path("name", "RepositoryName", "Name of a registered repository");
const IF_MATCH: Param =
    header("If-Match", "ETag", "The ETag of what you looked at: refused if it has changed");
const IF_NONE_MATCH: Param = header("If-None-Match", "ETag", "The ETag of the answer that you have");

const ITEM: &[Code] = &[Code::UnknownItem];

pub(crate) static OPERATIONS: &[Operation] = &[
    Operation {
        op: op(Op::Repositories),
        id: "listRepositories",
        path: "/repositories",
        about: "The registered repositories with their settings, as overnight repo ls --json",
        gives: &[(200, Gives::Json("Repositories"))],
        ..READ
    },
    Operation {
        op: op(Op::RepositoryAdd),
        id: "addRepository",
        method: Method::Post,
        path: "/repositories",
        scope: Scope::Admin,
        about: "Registers a repository: the URL of a remote, or a directory of the server; 200 when its remote was registered before",
        takes: Some("NewRepository"),
        gives: &[(201, Gives::Json("Repository")), (200, Gives::Json("Repository"))],
        faults: &[Code::OrderRefused, Code::ItemRefused, Code::ChangedMeanwhile],
        ..READ
    },
    Operation {
        op: op(Op::RepositoryShow),
        id: "showRepository",
        path: "/repositories/{name}",
        about: "A repository and its settings",
        params: &[NAME, IF_NONE_MATCH],
        gives: &[(200, Gives::Json("Repository")), (304, Gives::Nothing)],
        faults: &[Code::UnknownRepository],
        ..READ
    },
    Operation {
        op: op(Op::RepositoryEdit),
        id: "editRepository",
        method: Method::Patch,
        path: "/repositories/{name}",
        scope: Scope::Admin,
        about: "Changes a repository's settings: what is not named stays, null means as usual",
        params: &[NAME, IF_MATCH],
        takes: Some("RepositorySettings"),
        gives: &[(200, Gives::Json("Repository"))],
        faults: &[Code::UnknownRepository, Code::ItemRefused, Code::ChangedMeanwhile],
    },
    Operation {
        op: op(Op::RepositoryRemove),
        id: "removeRepository",
        method: Method::Delete,
        path: "/repositories/{name}",
        scope: Scope::Admin,
        about: "Forgets a repository of which there are no jobs and no items",
        params: &[NAME],
        gives: &[(200, Gives::Json("Removed"))],
        faults: &[Code::UnknownRepository, Code::RepositoryInUse],
        ..READ
    },
    Operation {
        op: op(Op::Items),
        id: "listItems",
        path: "/items",
        about: "Epics, stories, tasks, sprints and ideas with their derived states, repository by repository, oldest first",
        params: &[
            query("repository", "RepositoryName", "Only items of this repository"),
            query("kind", "ItemKind", "Only items of this kind"),
            query("of", "JobName", "Only what belongs to this epic or story, or stands in this sprint"),
            query("state", "ItemStates", "Only items in these states, separated by commas"),
            query("cursor", "Cursor", "`next` of the page before"),
            LIMIT,
        ],
        gives: &[(200, Gives::Json("ItemPage"))],
        ..READ
    },
    Operation {
        op: op(Op::ItemAdd),
        id: "addItem",
        method: Method::Post,
        path: "/items",
        scope: Scope::Operate,
        about: "Adds an item to the backlog, as overnight epic|story|task|sprint|idea add does",
        params: &[ONCE],
        takes: Some("NewItem"),
        gives: &[(201, Gives::Json("Item")), (200, Gives::Json("Item"))],
        faults: &[
            Code::BadKey,
            Code::ItemRefused,
            Code::OrderRefused,
            Code::RequestReused,
            Code::TooManyAnswers,
        ],
    },
    Operation {
        op: op(Op::ItemShow),
        id: "showItem",
        path: "/items/{key}",
        about: "An item with its jobs and what belongs to it",
        params: &[KEY, IF_NONE_MATCH],
        gives: &[(200, Gives::Json("ShownItem")), (304, Gives::Nothing)],
        faults: ITEM,
        ..READ
    },
    Operation {
        op: op(Op::ItemEdit),
        id: "editItem",
        method: Method::Patch,
        path: "/items/{key}",
        scope: Scope::Operate,
        about: "Changes an item: what is not named stays, null takes a value away",
        params: &[KEY, IF_MATCH],
        takes: Some("ItemChange"),
        gives: &[(200, Gives::Json("Item"))],
        faults: &[Code::UnknownItem, Code::ItemRefused, Code::OrderRefused, Code::ChangedMeanwhile],
    },
    Operation {
        op: op(Op::ItemRemove),
        id: "removeItem",
        method: Method::Delete,
        path: "/items/{key}",
        scope: Scope::Operate,
        about: "Removes an item; its jobs stay",
        params: &[KEY, query("all", "Flag", "And everything that belongs to it"), IF_MATCH],
        gives: &[(200, Gives::Json("Removed"))],
        faults: &[Code::UnknownItem, Code::ItemBusy, Code::ItemHasParts, Code::ChangedMeanwhile],
        ..READ
    },
    Operation {
        op: op(Op::ItemMark),
        id: "markItem",
        method: Method::Post,
        path: "/items/{key}/mark",
        scope: Scope::Operate,
        about: "Says something about an item that no job can know",
        params: &[KEY],
        takes: Some("NewMark"),
        gives: &[(200, Gives::Json("Item"))],
        faults: &[Code::UnknownItem, Code::ItemRefused, Code::ItemBusy],
    },
    Operation {
        op: op(Op::ItemExport),
        id: "exportEpic",
        path: "/items/{key}/plan",
        about: "An epic as the plan document that would make it again, as overnight export",
        params: &[KEY],
        gives: &[(200, Gives::Json("PlanDocument"))],
        faults: &[Code::UnknownItem, Code::ItemRefused],
        ..READ
    },
    Operation {
        op: op(Op::Start),
        id: "startItems",
        method: Method::Post,
        path: "/start",
        scope: Scope::Operate,
        about: "Makes jobs of tasks, all of them or none, as overnight task start does",
        params: &[ONCE],
        takes: Some("NewStart"),
        gives: &[(201, Gives::Json("StartedJobs")), (200, Gives::Json("StartedJobs"))],
        faults: &[Code::BadKey, Code::OrderRefused, Code::RequestReused, Code::TooManyAnswers],
    },
    Operation {
        op: op(Op::Import),
        id: "importPlan",
        method: Method::Post,
        path: "/plans",
        scope: Scope::Operate,
        about: "Makes an epic with its stories and tasks of a plan document, as overnight import does; 200 when nothing was made",
        params: &[query("dry_run", "Flag", "Only look whether it can be imported"), ONCE],
        takes: Some("NewPlan"),
        gives: &[(201, Gives::Json("ImportedPlan")), (200, Gives::Json("ImportedPlan"))],
        faults: &[
            Code::BadKey,
            Code::PlanRefused,
            Code::ItemRefused,
            Code::OrderRefused,
            Code::RequestReused,
            Code::TooManyAnswers,
        ],
    },
];
