//! The rules for changing roles in a team, for removing a member, for leaving, and for transferring the ownership.

use super::{TeamError, TeamMember, TeamRole};
use crate::Timestamp;
use crate::ids::UserId;

/// The facts needed to change one membership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamFacts {
    /// The membership.
    pub member: TeamMember,
    /// Number of members of the team, including this one.
    pub member_count: u64,
    /// Number of other members who can manage the organization.
    pub other_managers: u64,
}

impl TeamFacts {
    /// The facts about `member`, counted from its whole team.
    #[must_use]
    pub fn of(member: TeamMember, team: &[TeamMember]) -> Self {
        let count = |found: usize| u64::try_from(found).unwrap_or(u64::MAX);
        let others = team.iter().filter(|other| other.user != member.user);
        let other_managers = count(others.filter(|other| other.role.can_manage_organization()).count());
        Self { member, member_count: count(team.len()), other_managers }
    }

    const fn is_last_manager(&self) -> bool {
        self.member.role.can_manage_organization() && self.other_managers == 0
    }
}

/// A new role for a member. A dialect can show several roles as one. A member with a role that is shown like the new
/// role keeps it, so that a client can send back the role that it read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleChange {
    /// The new role.
    pub to: TeamRole,
    /// Roles that the dialect shows like the new role.
    pub satisfied_by: &'static [TeamRole],
}

/// Changes the role of a member. Without an effective change the result equals the membership before.
///
/// # Errors
/// - [`TeamError::OwnerRoleFixed`] when the old or the new role is the owner's.
/// - [`TeamError::LastManager`] when no member who can manage the organization would remain.
pub fn set_role(facts: TeamFacts, change: RoleChange, now: Timestamp) -> Result<TeamMember, TeamError> {
    let role = facts.member.role;
    if role == TeamRole::Owner || change.to == TeamRole::Owner {
        return Err(TeamError::OwnerRoleFixed);
    }
    if role == change.to || change.satisfied_by.contains(&role) {
        return Ok(facts.member);
    }
    if facts.is_last_manager() && !change.to.can_manage_organization() {
        return Err(TeamError::LastManager);
    }
    Ok(TeamMember { role: change.to, modified_at: now, ..facts.member })
}

/// Checks that a member can be removed from the team. `caller` is the user who sends the request, in a dialect in which
/// users cannot remove themselves.
///
/// # Errors
/// - [`TeamError::CannotRemoveOwner`] when the member is the owner.
/// - [`TeamError::CannotRemoveSelf`] when the member is the caller.
/// - [`TeamError::LastManager`] when no member who can manage the organization would remain.
pub fn remove(facts: &TeamFacts, caller: Option<UserId>) -> Result<(), TeamError> {
    if facts.member.role == TeamRole::Owner {
        return Err(TeamError::CannotRemoveOwner);
    }
    if caller == Some(facts.member.user) {
        return Err(TeamError::CannotRemoveSelf);
    }
    if facts.is_last_manager() {
        return Err(TeamError::LastManager);
    }
    Ok(())
}

/// Checks that a member can leave the team.
///
/// # Errors
/// - [`TeamError::OwnerCannotLeave`] when the member is the owner.
/// - [`TeamError::OnlyMember`] when the team has no other member.
/// - [`TeamError::LastManager`] when no member who can manage the organization would remain.
pub const fn leave(facts: &TeamFacts) -> Result<(), TeamError> {
    if matches!(facts.member.role, TeamRole::Owner) {
        return Err(TeamError::OwnerCannotLeave);
    }
    if facts.member_count <= 1 {
        return Err(TeamError::OnlyMember);
    }
    if facts.is_last_manager() {
        return Err(TeamError::LastManager);
    }
    Ok(())
}

/// Days for which an offer of the ownership stands.
pub const OWNERSHIP_OFFER_DAYS: i64 = 7;

/// Offers the ownership of an organization to a member of its team. Limits count by owner, and others could use them
/// up. So a member becomes the owner only by accepting the offer.
///
/// # Errors
/// [`TeamError::AlreadyOwner`] when the member is the owner.
pub fn offer_ownership(to: TeamMember, now: Timestamp) -> Result<TeamMember, TeamError> {
    if to.role == TeamRole::Owner {
        return Err(TeamError::AlreadyOwner);
    }
    let offered_until = Some(now.plus_seconds(OWNERSHIP_OFFER_DAYS * 24 * 60 * 60));
    Ok(TeamMember { offered_until, ..to })
}

/// Transfers the ownership of an organization from `owner` to `next`, who accepts an offer.
///
/// # Errors
/// [`TeamError::NotOffered`] without an offer that stands at `now`.
pub fn accept_ownership(
    owner: TeamMember,
    next: TeamMember,
    now: Timestamp,
) -> Result<Transferred, TeamError> {
    if next.is_offered_ownership(now) { Ok(transfer(owner, next, now)) } else { Err(TeamError::NotOffered) }
}

/// The two memberships after a transfer of the ownership.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transferred {
    /// The former owner, who is an administrator now.
    pub former: TeamMember,
    /// The new owner.
    pub owner: TeamMember,
}

/// Transfers the ownership of an organization from `owner` to `next`, another person in the team.
#[must_use]
pub fn transfer(owner: TeamMember, next: TeamMember, now: Timestamp) -> Transferred {
    Transferred {
        former: TeamMember { role: TeamRole::Administrator, modified_at: now, ..owner },
        owner: TeamMember { role: TeamRole::Owner, modified_at: now, offered_until: None, ..next },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::ids::OrganizationId;

    const NOW: Timestamp = Timestamp::from_micros(7);

    #[derive(Debug, Clone)]
    enum Command {
        Remove(u64, Option<u64>),
        Leave(u64),
        SetRole(u64, TeamRole),
        Transfer(u64),
    }

    fn user(number: u64) -> UserId {
        UserId::new(Uuid::from_u64_pair(1, number))
    }

    fn person(number: u64, role: TeamRole) -> TeamMember {
        let created_at = Timestamp::from_micros(0);
        let organization = OrganizationId::new(Uuid::from_u64_pair(2, 2));
        TeamMember {
            organization,
            user: user(number),
            email: format!("user{number}@example.com").parse().unwrap(),
            name: None,
            role,
            created_at,
            modified_at: created_at,
            offered_until: None,
        }
    }

    /// The owner of a team. `None` unless there is exactly one.
    fn owner_of(team: &[TeamMember]) -> Option<UserId> {
        let mut owners = team.iter().filter(|member| member.role == TeamRole::Owner);
        owners.next().filter(|_| owners.next().is_none()).map(|member| member.user)
    }

    fn any_role() -> impl Strategy<Value = TeamRole> {
        prop::sample::select(TeamRole::ALL.to_vec())
    }

    fn command() -> impl Strategy<Value = Command> {
        prop_oneof![
            (0..6_u64, prop::option::of(0..6_u64)).prop_map(|(whom, by)| Command::Remove(whom, by)),
            (0..6_u64).prop_map(Command::Leave),
            (0..6_u64, any_role()).prop_map(|(whom, role)| Command::SetRole(whom, role)),
            (0..6_u64).prop_map(Command::Transfer),
        ]
    }

    fn apply(team: &mut Vec<TeamMember>, command: &Command) {
        let (Command::Remove(whom, _)
        | Command::Leave(whom)
        | Command::SetRole(whom, _)
        | Command::Transfer(whom)) = command;
        let Some(place) = team.iter().position(|member| member.user == user(*whom)) else { return };
        let facts = TeamFacts::of(team[place].clone(), team);
        let gone = match command {
            Command::Remove(_, caller) => remove(&facts, caller.map(user)).is_ok(),
            Command::Leave(_) => leave(&facts).is_ok(),
            Command::SetRole(_, role) => {
                let change = RoleChange { to: *role, satisfied_by: &[] };
                if let Ok(after) = set_role(facts, change, NOW) {
                    team[place] = after;
                }
                false
            }
            Command::Transfer(_) => {
                let owner = team.iter().position(|member| member.role == TeamRole::Owner);
                if let Some(owner) = owner.filter(|owner| *owner != place) {
                    let after = transfer(team[owner].clone(), team[place].clone(), NOW);
                    (team[owner], team[place]) = (after.former, after.owner);
                }
                false
            }
        };
        if gone {
            team.remove(place);
        }
    }

    proptest! {
        #[test]
        fn a_team_has_one_owner_through_any_sequence_of_commands(
            others in prop::collection::vec(any_role(), 0..5),
            commands in prop::collection::vec(command(), 0..40),
        ) {
            let mut team = vec![person(0, TeamRole::Owner)];
            team.extend((1..).zip(others).filter(|(_, role)| *role != TeamRole::Owner)
                .map(|(number, role)| person(number, role)));
            for command in commands {
                let owner = owner_of(&team);
                let kept = !matches!(&command, Command::Transfer(whom) if team.iter().any(|m| m.user == user(*whom)));
                apply(&mut team, &command);
                if kept {
                    prop_assert_eq!(owner_of(&team), owner);
                } else {
                    prop_assert!(owner_of(&team).is_some());
                }
            }
        }

        #[test]
        fn a_team_without_an_owner_keeps_a_manager(
            roles in prop::collection::vec(any_role().prop_filter("no owner", |role| *role != TeamRole::Owner), 1..6),
            commands in prop::collection::vec(command(), 0..40),
        ) {
            let mut team: Vec<TeamMember> =
                (0..).zip(roles).map(|(number, role)| person(number, role)).collect();
            team[0].role = TeamRole::Administrator;
            for command in commands {
                apply(&mut team, &command);
                prop_assert!(team.iter().any(|member| member.role.can_manage_organization()));
            }
        }

        #[test]
        fn a_role_that_is_shown_like_the_new_one_is_kept(role in any_role(), to in any_role()) {
            let team = [person(0, TeamRole::Administrator), person(1, role)];
            let change = RoleChange { to, satisfied_by: &[TeamRole::Developer, TeamRole::Analyst] };
            match set_role(TeamFacts::of(team[1].clone(), &team), change, NOW) {
                Err(error) => {
                    prop_assert!(role == TeamRole::Owner || to == TeamRole::Owner);
                    prop_assert_eq!(error, TeamError::OwnerRoleFixed);
                }
                Ok(after) if change.satisfied_by.contains(&role) => prop_assert_eq!(&after, &team[1]),
                Ok(after) => prop_assert_eq!(after.role, to),
            }
        }
    }

    #[test]
    fn permission_to_manage_includes_permission_to_read() {
        use super::super::TeamPermission;
        for role in TeamRole::ALL {
            assert!(
                !role.grants(TeamPermission::ManageTeam) || role.grants(TeamPermission::ReadTeam),
                "{role:?}"
            );
            assert!(
                !role.grants(TeamPermission::ManageCustomers) || role.grants(TeamPermission::ReadCustomers),
                "{role:?}"
            );
        }
        for permission in TeamPermission::ALL {
            let is_owners_alone = permission == TeamPermission::TransferOwnership;
            assert!(TeamRole::Owner.grants(permission), "{permission:?}");
            assert_eq!(TeamRole::Administrator.grants(permission), !is_owners_alone, "{permission:?}");
        }
    }

    #[test]
    fn the_ownership_passes_by_an_offer_that_stands() {
        let (owner, next) = (person(0, TeamRole::Owner), person(1, TeamRole::Developer));
        let accept = |next: &TeamMember, now| accept_ownership(owner.clone(), next.clone(), now);
        assert_eq!(accept(&next, NOW), Err(TeamError::NotOffered));
        let offered = offer_ownership(next, NOW).unwrap();
        let until = offered.offered_until.unwrap();
        assert_eq!(accept(&offered, until), Err(TeamError::NotOffered));
        let Transferred { owner: after, former } = accept(&offered, NOW).unwrap();
        assert_eq!((after.role, after.offered_until), (TeamRole::Owner, None));
        assert_eq!(former.role, TeamRole::Administrator);
        assert_eq!(offer_ownership(after, NOW), Err(TeamError::AlreadyOwner));
    }
}
