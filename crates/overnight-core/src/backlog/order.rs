//! The order in which tasks can be done, and the one in which people read a backlog.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Debug;

use super::item::{Item, ItemKind};
use crate::id::ItemId;

/// Tasks that wait for each other in a circle, in the order of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Circle<T>(pub Vec<T>);

/// The nodes so that each stands behind those that it waits for, and otherwise as they stood. What a node waits for and
/// is not among the nodes does not count.
///
/// # Errors
/// [`Circle`].
pub fn in_order<T: Ord + Clone + Debug>(
    nodes: &[T],
    waits: &BTreeMap<T, BTreeSet<T>>,
) -> Result<Vec<T>, Circle<T>> {
    let place: BTreeMap<&T, usize> = nodes.iter().enumerate().map(|(place, node)| (node, place)).collect();
    let mut open: Vec<usize> = vec![0; nodes.len()];
    let mut behind: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (node, at) in &place {
        for before in waits.get(*node).into_iter().flatten().filter_map(|before| place.get(before)) {
            open[*at] += 1;
            behind[*before].push(*at);
        }
    }
    let mut free: BTreeSet<usize> = (0..nodes.len()).filter(|at| open[*at] == 0).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(at) = free.pop_first() {
        order.push(nodes[at].clone());
        for next in &behind[at] {
            open[*next] -= 1;
            if open[*next] == 0 {
                free.insert(*next);
            }
        }
    }
    if order.len() == nodes.len() {
        return Ok(order);
    }
    let left: BTreeSet<&T> = nodes.iter().filter(|node| open[place[*node]] > 0).collect();
    Err(circle(&left, waits))
}

/// Every node that is left waits for another one that is: whoever walks on comes round.
fn circle<T: Ord + Clone>(left: &BTreeSet<&T>, waits: &BTreeMap<T, BTreeSet<T>>) -> Circle<T> {
    let mut way: Vec<&T> = left.iter().take(1).copied().collect();
    while let Some(last) = way.last() {
        let next = waits.get(*last).into_iter().flatten().find(|before| left.contains(before));
        let Some(next) = next else { break };
        if let Some(from) = way.iter().position(|node| *node == next) {
            return Circle(way[from..].iter().map(|node| (*node).clone()).collect());
        }
        way.push(next);
    }
    Circle(way.into_iter().cloned().collect())
}

/// The items as they belong together: an epic, its stories, the tasks of each, and only then what belongs to the next one; otherwise as
/// they stand. What belongs to nothing comes behind everything of its kind that belongs somewhere.
#[must_use]
pub fn by_family(items: &[Item]) -> Vec<&Item> {
    let places: HashMap<&ItemId, usize> = items.iter().enumerate().map(|(at, item)| (&item.id, at)).collect();
    let up = |at: usize| items[at].parent.as_ref().and_then(|parent| places.get(parent)).copied();
    let or_last = |place: Option<usize>| place.map_or(usize::MAX, |place| place + 1);
    let way = |at: &usize| match items[*at].kind() {
        ItemKind::Epic | ItemKind::Sprint | ItemKind::Idea => (*at + 1, 0, 0),
        ItemKind::Story => (or_last(up(*at)), *at + 1, 0),
        ItemKind::Task => {
            let story = up(*at);
            (or_last(story.and_then(up)), or_last(story), *at + 1)
        }
    };
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(way);
    order.into_iter().map(|at| &items[at]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::backlog::{EpicBody, ItemBody, StoryBody};
    use crate::id::{RepositoryId, TaskKey};
    use crate::units::Timestamp;

    fn waits(pairs: &[(u8, u8)]) -> BTreeMap<u8, BTreeSet<u8>> {
        let mut waits: BTreeMap<u8, BTreeSet<u8>> = BTreeMap::new();
        for (node, before) in pairs {
            waits.entry(*node).or_default().insert(*before);
        }
        waits
    }

    #[test]
    fn what_waits_comes_later_and_the_rest_stays() {
        assert_eq!(in_order(&[1, 2, 3, 4], &waits(&[(1, 3), (2, 9)])), Ok(vec![2, 3, 1, 4]));
        assert_eq!(in_order(&[1, 2], &waits(&[(1, 1)])), Err(Circle(vec![1])));
        assert_eq!(
            in_order(&[0, 1, 2, 3], &waits(&[(0, 1), (1, 2), (2, 3), (3, 1)])),
            Err(Circle(vec![1, 2, 3]))
        );
    }

    #[test]
    fn a_backlog_is_read_family_by_family() {
        let item = |name: &str, body: ItemBody, parent: Option<&str>| Item {
            id: ItemId::parse(name).unwrap(),
            repository: RepositoryId::parse("r").unwrap(),
            key: TaskKey::parse(&format!("{name}-1")).unwrap(),
            title: name.to_owned(),
            body,
            parent: parent.map(|parent| ItemId::parse(parent).unwrap()),
            position: 0,
            version: 1,
            created_at: Timestamp(0),
            updated_at: Timestamp(0),
        };
        let task = |name: &str, story: Option<&str>| item(name, ItemBody::Task(Box::default()), story);
        let story = |name: &str, epic: Option<&str>| item(name, ItemBody::Story(StoryBody::default()), epic);
        let epic = |name: &str| item(name, ItemBody::Epic(EpicBody::default()), None);
        // As a store gives them: by their place below what they belong to.
        let items = [
            task("lone", None),
            task("b1", Some("sb")),
            task("a1", Some("sa")),
            task("x1", Some("sx")),
            story("sx", None),
            story("sb", Some("eb")),
            story("sa", Some("ea")),
            epic("ea"),
            epic("eb"),
            task("a2", Some("sa")),
            task("b2", Some("sb")),
            task("orphan", Some("gone")),
        ];
        let names: Vec<&str> = by_family(&items).iter().map(|item| item.title.as_str()).collect();
        let wanted = ["ea", "sa", "a1", "a2", "eb", "sb", "b1", "b2", "sx", "x1", "lone", "orphan"];
        assert_eq!(names, wanted);
    }

    proptest! {
        #[test]
        fn it_is_an_order_or_a_circle(pairs in proptest::collection::vec((0_u8..12, 0_u8..12), 0..30)) {
            let nodes: Vec<u8> = (0..12).collect();
            let waits = waits(&pairs);
            match in_order(&nodes, &waits) {
                Ok(order) => {
                    let at = |node: u8| order.iter().position(|other| *other == node).unwrap();
                    prop_assert_eq!(order.len(), nodes.len());
                    prop_assert!(pairs.iter().all(|(node, before)| at(*before) < at(*node)));
                }
                Err(Circle(circle)) => {
                    prop_assert!(!circle.is_empty());
                    for (one, next) in circle.iter().zip(circle.iter().cycle().skip(1)) {
                        prop_assert!(waits[one].contains(next));
                    }
                }
            }
        }
    }
}
