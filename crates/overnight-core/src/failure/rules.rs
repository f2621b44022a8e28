//! Finds the failure class whose format a check's output has.
//!
//! Owns the compiled patterns of `table`. Must not know any tool by name: that is the table's part.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use super::table::{RULES, Rule};
use super::{FailureClass, classes};

struct Compiled {
    class: &'static FailureClass,
    context: &'static [&'static str],
    patterns: Vec<Regex>,
}

static COMPILED: LazyLock<Vec<Compiled>> = LazyLock::new(|| RULES.iter().filter_map(compile).collect());

fn compile(Rule(id, context, patterns): &Rule) -> Option<Compiled> {
    let patterns = patterns.iter().filter_map(|pattern| Regex::new(&format!("(?m){pattern}")).ok()).collect();
    Some(Compiled { class: classes::by_id(id)?, context, patterns })
}

impl Compiled {
    fn first<'t>(&'t self, output: &'t str) -> Option<Range<usize>> {
        self.matches(output).min_by_key(|at| at.start)
    }

    fn matches<'t>(&'t self, output: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
        let occurs = |text: &str| output.contains(text) || output.starts_with(text.trim_start_matches('\n'));
        let fits = self.context.is_empty() || self.context.iter().any(|text| occurs(text));
        let patterns = if fits { self.patterns.as_slice() } else { &[] };
        patterns.iter().flat_map(|pattern| pattern.find_iter(output)).map(|found| found.range())
    }
}

/// The class of the first rule that matches, and the earliest place where it does.
pub(super) fn first_match(output: &str) -> Option<(&'static FailureClass, Range<usize>)> {
    COMPILED.iter().find_map(|rule| Some((rule.class, rule.first(output)?)))
}

/// All places that speak for a class.
pub(super) fn matches_of<'t>(id: &'t str, output: &'t str) -> impl Iterator<Item = Range<usize>> + 't {
    COMPILED.iter().filter(move |rule| rule.class.id == id).flat_map(move |rule| rule.matches(output))
}

#[cfg(test)]
mod tests {
    use super::super::samples::SAMPLES;
    use super::*;

    #[test]
    fn every_rule_names_a_class_and_every_pattern_compiles() {
        assert_eq!(COMPILED.len(), RULES.len());
        for (Rule(id, _, patterns), compiled) in RULES.iter().zip(COMPILED.iter()) {
            assert_eq!(compiled.class.id, *id);
            assert_eq!(compiled.patterns.len(), patterns.len(), "a pattern of {id} does not compile");
        }
    }

    #[test]
    fn no_rule_stands_in_the_shadow_of_the_rules_before_it() {
        for (index, rule) in COMPILED.iter().enumerate() {
            let decides =
                |output: &str| COMPILED.iter().position(|rule| rule.first(output).is_some()) == Some(index);
            let reached = SAMPLES.iter().any(|(_, output)| decides(output));
            assert!(reached, "rule {index} for {} decides no sample", rule.class.id);
        }
    }
}
