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
end='
'

fact() { printf '%s\n' "$1" >>"$out/facts"; }
quiet() { git -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.untrackedCache=false "$@"; }
theirs() { quiet --git-dir="$work/.git" --work-tree="$work" "$@"; }
ours() { quiet --git-dir="$fresh" --work-tree="$work" "$@"; }

make_fresh() {
    if [ -e "$fresh" ]; then rm -rf "$fresh"; fi
    quiet init --quiet --bare --template= --initial-branch=none --object-format="$format" -- "$fresh" || return 1
    printf '%s\n' "$mirror/objects" >"$fresh/objects/info/alternates" || return 1
    if [ -f "$mirror/shallow" ]; then cp "$mirror/shallow" "$fresh/shallow"; fi
}

# The index as of the check-out spares git from reading every file again. It is not held against the work tree: what the
# agent changed differs from both.
load_index() {
    if [ -f "$seed" ] && cp -p "$seed" "$fresh/index" && ours read-tree -i -m "$1"; then return 0; fi
    rm -f "$fresh/index" "$fresh/index.lock"
    ours read-tree "$1"
}

add_all() {
    ours add -A --ignore-errors -- . || fact incomplete
    # Ignored files that the agent had added all the same: their list was begun below.
    wait
    if [ -s "$out/forced" ]; then
        ours add --force --ignore-errors --pathspec-from-file="$out/forced" --pathspec-file-nul || fact incomplete
    fi
    # A repository inside the work tree would become a reference to commits that nobody else has.
    ours diff-index --cached --raw --no-abbrev --no-renames "$base" |
        sed -n "/^:160000 /d; s/^:[0-7]* 160000 [^$tab]*$tab/0 $(printf "%0${#base}d" 0)$tab/p" >"$out/nested"
    if [ -s "$out/nested" ]; then
        fact nested
        ours update-index --index-info <"$out/nested" || return 1
    fi
}

bundle() {
    ours update-ref refs/heads/result "$tip" &&
        ours bundle create --quiet "$out/result.bundle" refs/heads/result "^$base"
}

# Commit and tree of what HEAD is taken for.
deliver() {
    load_index "$1" && add_all "$1" && tree=$(ours write-tree) || return 1
    tip=$1
    if [ "$tree" != "$2" ]; then
        fact dirty
        tip=$(ours commit-tree "$tree" -p "$1" -m "$message") || return 1
    fi
    if [ "$tip" = "$base" ]; then
        fact unchanged
        return 0
    fi
    if bundle; then return 0; fi
    # git makes no empty bundle: a commit that the base has already cannot be bundled.
    ours merge-base --is-ancestor "$tip" "$base" || return 1
    fact rewound
    tip=$(ours commit-tree "$tree" -p "$base" -m "$message") && bundle
}

if ! cd "$work"; then
    fact missing
    exit 0
fi
make_fresh || exit 70
# Three answers, one to a line; the path comes last, because it may hold line ends.
told=$(theirs rev-parse 'HEAD^{commit}' 'HEAD^{tree}' --path-format=absolute --git-path objects) || told=
head=${told%%"$end"*}
told=${told#*"$end"}
objects=${told#*"$end"}
if [ -n "$head" ] && [ -d "$objects" ]; then
    printf '%s\n' "$objects" >>"$fresh/objects/info/alternates"
    { theirs ls-files -z --cached --ignored --exclude-standard >"$out/forced" || : >"$out/forced"; } &
    if deliver "$head" "${told%%"$end"*}"; then exit 0; fi
fi
# The agent's repository is gone or damaged: the work tree alone, as one change on the base.
wait
rm -f "$out/facts" "$out/forced" "$out/result.bundle"
fact salvaged
make_fresh || exit 70
deliver "$base" "$(ours rev-parse --verify "$base^{tree}")" || exit 71
