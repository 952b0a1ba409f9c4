"""The base roles, as they were on the day of this migration."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ROLES = [
    (
        "district_admin",
        "District Admin",
        "district",
        [
            "export",
            "manage_directory",
            "manage_roles",
            "manage_schools",
            "manage_staff",
            "override_quiet_hours",
            "see_directory",
            "view_all_messages",
            "view_audit_log",
        ],
    ),
    ("district_viewer", "District Viewer", "district", ["see_directory", "view_all_messages"]),
    (
        "school_admin",
        "School Admin",
        "school",
        [
            "announce",
            "export",
            "manage_directory",
            "manage_staff",
            "message_on_behalf",
            "personal_messages",
            "see_directory",
            "view_all_messages",
            "view_audit_log",
            "view_school_inbox",
        ],
    ),
    ("school_viewer", "School Viewer", "school", ["see_directory", "view_all_messages", "view_school_inbox"]),
    (
        "technical_school_admin",
        "Technical School Admin",
        "school",
        ["manage_directory", "manage_staff", "see_directory"],
    ),
    ("non_rostered_staff", "Non-Rostered Staff", "school", ["personal_messages", "see_directory"]),
]

role = sa.table(
    "role",
    sa.column("base_key", sa.Text),
    sa.column("name", sa.Text),
    sa.column("level", sa.Text),
    sa.column("permissions", sa.ARRAY(sa.Text)),
)


def upgrade() -> None:
    op.bulk_insert(
        role, [{"base_key": k, "name": n, "level": level, "permissions": p} for k, n, level, p in ROLES]
    )


def downgrade() -> None:
    op.execute(role.delete().where(role.c.base_key.is_not(None)))
