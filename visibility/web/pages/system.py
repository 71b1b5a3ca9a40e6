"""`/system`: the state of the installation, for administrators."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.http import require_safe

from visibility.db.database_time import database_now
from visibility.screens.relative_and_absolute_time import displayed_time
from visibility.screens.system.facts import load_system_facts
from visibility.web.permissions import Permission, require_permission


@require_safe
@require_permission(Permission.ADMINISTER)
def system_page(request: HttpRequest) -> HttpResponse:
    """`GET /system`."""
    now = database_now()
    facts = load_system_facts(now)
    context = {
        "facts": facts,
        "problems": facts.problems,
        "processes": [
            (process, displayed_time(process.last_work, now)) for process in facts.processes
        ],
        "oldest_message": displayed_time(facts.work.oldest_message_at, now),
        "oldest_order": displayed_time(facts.work.oldest_order_at, now),
        "backup_at": displayed_time(facts.backup.at, now) if facts.backup else None,
        "password_checked_at": displayed_time(facts.password_check.checked_at, now),
        "password_failed_at": displayed_time(facts.password_check.failed_at, now),
        "read_at": displayed_time(now, now),
    }
    return render(request, "system/page.html", context)


urlpatterns = [path("system", system_page, name="system")]
