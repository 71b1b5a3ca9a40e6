"""The role of an account, and the rule that the last active administrator stays one."""

from django.contrib.auth.models import Group, User
from django.db.models import Q

from visibility.web.permissions import UserRole, reload_access

IS_ADMINISTRATOR = Q(is_superuser=True) | Q(groups__name=UserRole.ADMIN)


def lock_administrators() -> None:
    """Wait for other changes of administrators, until the end of the transaction."""
    Group.objects.select_for_update().filter(name=UserRole.ADMIN).first()


def is_administrator(user: User) -> bool:
    """Whether the account administers the installation; also if it is deactivated."""
    return User.objects.filter(IS_ADMINISTRATOR, pk=user.pk).exists()


def is_last_administrator(user: User) -> bool:
    """Whether nobody else could administer the installation."""
    administrators = User.objects.filter(IS_ADMINISTRATOR, is_active=True)
    is_active_administrator = administrators.filter(pk=user.pk).exists()
    return is_active_administrator and not administrators.exclude(pk=user.pk).exists()


def set_role(user: User, role: UserRole) -> None:
    """Replace the roles of a user by one."""
    group, _ = Group.objects.get_or_create(name=role.value)
    user.groups.remove(*user.groups.filter(name__in=list(UserRole)).exclude(pk=group.pk))
    user.groups.add(group)
    if user.is_superuser and role != UserRole.ADMIN:
        user.is_superuser = user.is_staff = False
        user.save(update_fields=["is_superuser", "is_staff"])
    reload_access(user)
