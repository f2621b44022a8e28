# Takes over what an agent left in a workspace: its commits, and on top of them whatever it did not commit.
# Runs inside the job's containment; all text is constant, everything variable comes as an argument.
#
# The agent's repository is asked for two things only, the commit HEAD names and where its objects are. The work tree
# is read through a repository made here, so that the index, locks, filters, hooks, attributes and settings which the
# agent may have left have no say.
set -u
umask 077
work=$1 mirror=$2 base=$3 out=$4 format=$5 seed=$6 message=$7
fresh=$out/fresh.git
tab=$(printf '\t')

fact() { printf '%s\n' "$1" >>"$out/facts"; }
quiet() { git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.untrackedCache=false "$@"; }
theirs() { quiet --git-dir="$work/.git" --work-tree="$work" "$@"; }
ours() { quiet --git-dir="$fresh" --work-tree="$work" "$@"; }

make_fresh() {
    rm -rf "$fresh"
    quiet init --quiet --bare --template= --initial-branch=none --object-format="$format" -- "$fresh" || return 1
    printf '%s\n' "$mirror/objects" >"$fresh/objects/info/alternates" || return 1
    if [ -f "$mirror/shallow" ]; then cp "$mirror/shallow" "$fresh/shallow"; fi
}

# The index as of the check-out spares git from reading every file again.
load_index() {
    rm -f "$fresh/index"
    if [ -f "$seed" ] && cp -p "$seed" "$fresh/index" && ours read-tree -m "$1"; then return 0; fi
    rm -f "$fresh/index" "$fresh/index.lock"
    ours read-tree "$1"
}

add_all() {
    ours add -A --ignore-errors -- . || fact incomplete
    # Ignored files that the agent had added all the same.
    if [ -s "$out/forced" ]; then
        ours add --force --ignore-errors --pathspec-from-file="$out/forced" --pathspec-file-nul || fact incomplete
    fi
    # A repository inside the work tree would become a reference to commits that nobody else has.
    ours diff-index --cached --raw --no-abbrev --no-renames "$1" |
        sed -n "/^:160000 /d; s/^:[0-7]* 160000 [^$tab]*$tab/0 $(printf %s "$base" | tr 0-9a-f 0)$tab/p" >"$out/nested"
    if [ -s "$out/nested" ]; then
        fact nested
        ours update-index --index-info <"$out/nested" || return 1
    fi
}

deliver() {
    load_index "$1" && add_all "$1" && tree=$(ours write-tree) || return 1
    tip=$1
    if [ "$tree" != "$(ours rev-parse --verify "$1^{tree}")" ]; then
        fact dirty
        tip=$(ours commit-tree "$tree" -p "$1" -m "$message") || return 1
    fi
    if [ "$tip" = "$base" ]; then
        fact unchanged
        return 0
    fi
    if ours merge-base --is-ancestor "$tip" "$base"; then
        fact rewound
        tip=$(ours commit-tree "$tree" -p "$base" -m "$message") || return 1
    fi
    ours update-ref refs/heads/result "$tip" &&
        ours bundle create --quiet "$out/result.bundle" refs/heads/result "^$base"
}

if ! cd "$work"; then
    fact missing
    exit 0
fi
make_fresh || exit 70
head=$(theirs rev-parse --verify --quiet 'HEAD^{commit}') || head=
objects=$(theirs rev-parse --path-format=absolute --git-path objects) || objects=
if [ -n "$head" ] && [ -d "$objects" ]; then
    printf '%s\n' "$objects" >>"$fresh/objects/info/alternates"
    theirs ls-files -z --cached --ignored --exclude-standard >"$out/forced" || : >"$out/forced"
    if deliver "$head"; then exit 0; fi
fi
# The agent's repository is gone or damaged: the work tree alone, as one change on the base.
rm -f "$out/facts" "$out/forced" "$out/result.bundle"
fact salvaged
make_fresh || exit 70
deliver "$base" || exit 71
