//! A camera's clock that was set back, by what is seen of its pictures: those that go on at the
//! pace of their names behind the newest one, as they come or as they were written. What was copied
//! or sent later comes at another pace, and says nothing.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

use crate::camera::scheme::listing::ListedEntry;

/// How much the pace of pictures may differ from that of their names: lists have whole minutes.
const PACE: TimeDelta = TimeDelta::seconds(90);
/// How long pictures must go on behind the newest one before that tells of a clock.
const LEAST_COMING: TimeDelta = TimeDelta::minutes(3);
/// The least time between two pictures whose pace is compared.
const LEAST_STEP: TimeDelta = TimeDelta::minutes(1);

/// A picture of a tree: when it was taken, and its path.
pub(super) type TreePicture = (DateTime<Utc>, String);

/// Two pictures, of which the one that was written later is the earlier one by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClockJump {
    pub(super) before: TreePicture,
    pub(super) after: TreePicture,
}

/// A picture, and when its folder said that it was written.
pub(super) type WrittenPicture = (NaiveDateTime, TreePicture);

/// The places where names go back by more than `least` between pictures that were written at the
/// pace of their names, before and after.
pub(super) fn jumps(
    written: &mut [WrittenPicture],
    least: impl Fn(DateTime<Utc>) -> TimeDelta,
) -> Vec<ClockJump> {
    written.sort_unstable();
    let mut found = Vec::new();
    for (n, pair) in written.windows(2).enumerate() {
        let [a, b] = pair else { continue };
        let (before, after) = (&a.1, &b.1);
        if before.0 - after.0 <= least(before.0) {
            continue;
        }
        let earlier = written[..n].iter().rev().find(|one| a.0 - one.0 >= LEAST_STEP);
        let later = written[n + 2..].iter().find(|one| one.0 - b.0 >= LEAST_STEP);
        let goes_on = earlier.is_some_and(|one| is_at_pace(one, a))
            && later.is_some_and(|one| is_at_pace(b, one));
        if goes_on {
            found.push(ClockJump { before: before.clone(), after: after.clone() });
        }
    }
    found
}

fn is_at_pace(one: &WrittenPicture, next: &WrittenPicture) -> bool {
    let by_name = next.1.0 - one.1.0;
    by_name > TimeDelta::zero() && (by_name - (next.0 - one.0)).abs() <= PACE
}

/// The names of folders, as they were listed last.
#[derive(Debug, Default)]
pub(super) struct ComingNames {
    folders: HashMap<String, (Arc<Vec<ListedEntry>>, DateTime<Utc>)>,
    /// The first of the pictures that come behind the newest one.
    first: Option<ComingPicture>,
}

/// A picture whose name was not there before.
#[derive(Clone, Debug)]
pub(super) struct ComingPicture {
    pub(super) picture: TreePicture,
    /// It came after this moment,
    pub(super) since: DateTime<Utc>,
    /// and before this one.
    pub(super) until: DateTime<Utc>,
}

impl ComingNames {
    /// Since when an entry of a folder is known to be new; none where it was there, or the folder
    /// was not listed before.
    pub(super) fn since(&self, folder: &str, entry: &ListedEntry) -> Option<DateTime<Utc>> {
        let (entries, at) = self.folders.get(folder)?;
        entries.binary_search(entry).is_err().then_some(*at)
    }

    /// Keeps what was listed, and of other folders nothing.
    pub(super) fn keep(
        &mut self,
        folders: impl IntoIterator<Item = (String, Arc<Vec<ListedEntry>>)>,
        now: DateTime<Utc>,
    ) {
        self.folders = folders.into_iter().map(|(path, list)| (path, (list, now))).collect();
    }

    /// The camera gives pictures of now.
    pub(super) fn settle(&mut self) {
        self.first = None;
    }

    /// The last of the pictures that have come, if they lie behind the `newest` one by more than
    /// `least` and come at the pace of their names.
    pub(super) fn behind(
        &mut self,
        mut come: Vec<ComingPicture>,
        newest: DateTime<Utc>,
        least: TimeDelta,
    ) -> Option<TreePicture> {
        if come.iter().any(|one| newest - one.picture.0 <= least) {
            self.settle();
            return None;
        }
        come.sort_unstable_by(|one, other| one.picture.cmp(&other.picture));
        let (earliest, last) = (come.first()?.picture.0, come.last()?.clone());
        let first = self.first.get_or_insert_with(|| last.clone());
        let by_name = last.picture.0 - first.picture.0;
        let (least_passed, most_passed) = (last.since - first.until, last.until - first.since);
        let is_at_pace = earliest > first.picture.0
            && by_name >= least_passed - PACE
            && by_name <= most_passed + PACE;
        if !is_at_pace {
            *first = last;
            return None;
        }
        // It tells as much as is not known of when the two came.
        let unknown = most_passed - least_passed;
        (by_name >= unknown.max(LEAST_COMING)).then_some(last.picture)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_720_000_000 / 60 * 60, 0).unwrap() + TimeDelta::minutes(minute)
    }

    fn picture(minute: i64) -> TreePicture {
        (at(minute), format!("{minute:05}.jpg"))
    }

    fn least(_: DateTime<Utc>) -> TimeDelta {
        TimeDelta::minutes(2)
    }

    /// Pictures of these minutes, by their names, that were written in those.
    fn written(all: &[(i64, i64)]) -> Vec<WrittenPicture> {
        let one = |&(name, written): &(i64, i64)| (at(written).naive_utc(), picture(name));
        all.iter().map(one).collect()
    }

    #[test]
    fn names_that_go_back_between_pictures_at_their_pace_tell_of_a_jump() {
        let mut jumped = written(&[(0, 1), (10, 11), (20, 21), (-160, 31), (-150, 41), (-140, 51)]);
        let found = jumps(&mut jumped, least);
        assert_eq!(found, [ClockJump { before: picture(20), after: picture(-160) }]);
        for others in [
            // It is copied, in whatever order.
            vec![(0, 0), (10, 0), (20, 0), (-160, 0), (-150, 0), (-140, 0)],
            vec![(0, 1), (10, 11), (20, 21), (-160, 31), (-150, 31), (-140, 31)],
            vec![(0, 9), (10, 9), (20, 9), (-160, 31), (-150, 41), (-140, 51)],
            // One is written again.
            vec![(0, 1), (10, 31), (20, 21), (30, 41), (40, 51)],
            // It goes ahead, or back by nothing.
            vec![(0, 1), (10, 11), (200, 21), (210, 31), (220, 41)],
            vec![(0, 1), (10, 11), (9, 21), (19, 31), (29, 41)],
        ] {
            assert_eq!(jumps(&mut written(&others), least), [], "{others:?}");
        }
    }

    fn coming(name: i64, since: i64, until: i64) -> ComingPicture {
        ComingPicture { picture: picture(name), since: at(since), until: at(until) }
    }

    #[test]
    fn pictures_that_come_behind_the_newest_at_their_pace_are_those_of_a_clock() {
        let told = |looks: &[Vec<ComingPicture>]| {
            let mut names = ComingNames::default();
            let told = looks.iter().map(|look| {
                let told = names.behind(look.clone(), at(0), TimeDelta::minutes(2));
                told.map(|(_, name)| name)
            });
            told.collect::<Vec<_>>()
        };
        let name = |minute: i64| Some(picture(minute).1);
        let one = |name, since, until| vec![coming(name, since, until)];
        assert_eq!(
            told(&[one(-180, 0, 10), vec![], one(-170, 18, 20), one(-160, 28, 30)]),
            [None, None, None, name(-160)]
        );
        // An archive is copied: quicker, or another day, or from its end.
        assert_eq!(
            told(&[one(-180, 0, 10), one(-100, 18, 20), one(-20, 28, 30)]),
            [None, None, None]
        );
        assert_eq!(told(&[one(-180, 0, 10), one(-1620, 18, 20)]), [None, None]);
        let day = vec![coming(-1620, 18, 20), coming(-170, 18, 20)];
        assert_eq!(told(&[one(-180, 0, 10), day]), [None, None]);
        // The camera goes on as it should.
        let both = vec![coming(-170, 18, 20), coming(20, 18, 20)];
        assert_eq!(told(&[one(-180, 0, 10), both, one(-160, 28, 30)]), [None, None, None]);
        // Too soon to say.
        assert_eq!(told(&[one(-180, 0, 1), one(-179, 1, 2)]), [None, None]);
    }

    proptest! {
        #[test]
        fn a_clock_that_is_never_set_back_is_never_blamed(
            steps in prop::collection::vec((0..400_i64, 0..400_i64), 0..60),
        ) {
            let (mut name, mut at) = (0, 0);
            let all: Vec<_> = steps.into_iter().map(|(by_name, passed)| {
                (name, at) = (name + by_name, at + passed);
                (name, at)
            }).collect();
            prop_assert_eq!(jumps(&mut written(&all), least), []);
        }
    }
}
