"""Groups of schools, links, second steps, hand-overs, oversight, and the audit log that nobody can rewrite."""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None

PLAIN_WORDS = """
CREATE FUNCTION plain_words(first text, second text, third text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN plain(first || ' ' || second || ' ' || third)
"""
"""What a member of staff is found by."""

PLAIN_NAMES = """
CREATE FUNCTION plain_names(names jsonb) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN plain(translate(jsonb_path_query_array(names - 'salt'::text, '$.*')::text, '"[],', '    '))
"""
"""What an entry of the audit log is found by: the names themselves, not what they are called, nor the salt. A blank goes
before each, so that a short one can be found by how it begins."""

APPEND_ONLY = """
CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND TG_TABLE_NAME = 'audit_entry' THEN
        IF to_jsonb(NEW) - 'seal_id' = to_jsonb(OLD) - 'seal_id' AND OLD.seal_id IS NULL THEN
            RETURN NEW;
        END IF;
        IF to_jsonb(NEW) - 'names' = to_jsonb(OLD) - 'names' AND NEW.names = '{}'::jsonb THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only';
END $$
"""
"""An entry is sealed once, and its names may be removed; nothing else of it ever changes."""
GUARDED = ('audit_entry', 'audit_seal')


def upgrade() -> None:
    op.execute(PLAIN_WORDS)
    op.execute(PLAIN_NAMES)
    op.create_table('audit_seal',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('leaves', sa.LargeBinary(), nullable=False),
    sa.Column('previous', sa.LargeBinary(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_seal')),
    sa.UniqueConstraint('digest', name=op.f('uq_audit_seal_digest')),
    sa.UniqueConstraint('previous', name=op.f('uq_audit_seal_previous'))
    )
    op.create_table('school_group',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_school_group'))
    )
    op.create_index('uq_school_group_lower_name', 'school_group', [sa.literal_column('lower(name)')], unique=True)
    op.create_table('account_link',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('purpose', sa.Text(), nullable=False),
    sa.Column('token_digest', sa.LargeBinary(), nullable=False),
    sa.Column('made_by_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['made_by_id'], ['staff.id'], name=op.f('fk_account_link_made_by_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_account_link_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_account_link')),
    sa.UniqueConstraint('token_digest', name=op.f('uq_account_link_token_digest'))
    )
    op.create_index(op.f('ix_account_link_staff_id'), 'account_link', ['staff_id'], unique=False)
    op.create_table('audit_entry',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=True),
    sa.Column('subject_id', sa.BigInteger(), nullable=True),
    sa.Column('schools', sa.ARRAY(sa.BigInteger()), nullable=False),
    sa.Column('address', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('facts', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('before', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('after', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('names', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('names_digest', sa.LargeBinary(), nullable=False),
    sa.Column('seal_id', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['actor_id'], ['staff.id'], name=op.f('fk_audit_entry_actor_id')),
    sa.ForeignKeyConstraint(['seal_id'], ['audit_seal.id'], name=op.f('fk_audit_entry_seal_id')),
    sa.ForeignKeyConstraint(['subject_id'], ['staff.id'], name=op.f('fk_audit_entry_subject_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_audit_entry'))
    )
    op.create_index(op.f('ix_audit_entry_actor_id_id'), 'audit_entry', ['actor_id', 'id'], unique=False)
    op.create_index(op.f('ix_audit_entry_kind_at'), 'audit_entry', ['kind', 'at'], unique=False)
    op.create_index('ix_audit_entry_names_trgm', 'audit_entry', [sa.literal_column('plain_names(names)').label('plain_names')], unique=False, postgresql_using='gin', postgresql_ops={'plain_names': 'gin_trgm_ops'})
    op.create_index('ix_audit_entry_newest', 'audit_entry', [sa.literal_column('at DESC'), sa.literal_column('id DESC')], unique=False)
    op.create_index('ix_audit_entry_schools', 'audit_entry', ['schools'], unique=False, postgresql_using='gin')
    op.create_index(op.f('ix_audit_entry_seal_id'), 'audit_entry', ['seal_id'], unique=False)
    op.create_index(op.f('ix_audit_entry_subject_id_id'), 'audit_entry', ['subject_id', 'id'], unique=False)
    op.create_index('ix_audit_entry_unsealed', 'audit_entry', ['id'], unique=False, postgresql_where=sa.text('seal_id IS NULL'))
    op.create_table('external_identity',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('issuer', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('subject', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_external_identity_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_external_identity')),
    sa.UniqueConstraint('issuer', 'subject', name=op.f('uq_external_identity_issuer_subject'))
    )
    op.create_index(op.f('ix_external_identity_staff_id'), 'external_identity', ['staff_id'], unique=False)
    op.create_table('group_school',
    sa.Column('group_id', sa.BigInteger(), nullable=False),
    sa.Column('school_id', sa.BigInteger(), nullable=False),
    sa.ForeignKeyConstraint(['group_id'], ['school_group.id'], name=op.f('fk_group_school_group_id')),
    sa.ForeignKeyConstraint(['school_id'], ['school.id'], name=op.f('fk_group_school_school_id')),
    sa.PrimaryKeyConstraint('group_id', 'school_id', name=op.f('pk_group_school'))
    )
    op.create_index(op.f('ix_group_school_school_id'), 'group_school', ['school_id'], unique=False)
    op.create_table('hand_over',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('successor_id', sa.BigInteger(), nullable=True),
    sa.Column('auto_reply', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('made_by_id', sa.BigInteger(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['made_by_id'], ['staff.id'], name=op.f('fk_hand_over_made_by_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_hand_over_staff_id')),
    sa.ForeignKeyConstraint(['successor_id'], ['staff.id'], name=op.f('fk_hand_over_successor_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_hand_over'))
    )
    op.create_index(op.f('ix_hand_over_successor_id'), 'hand_over', ['successor_id'], unique=False)
    op.create_index('uq_hand_over_standing', 'hand_over', ['staff_id'], unique=True, postgresql_where=sa.text('ended_at IS NULL'))
    op.create_table('recovery_code',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('digest', sa.LargeBinary(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_recovery_code_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_recovery_code')),
    sa.UniqueConstraint('staff_id', 'digest', name=op.f('uq_recovery_code_staff_id_digest'))
    )
    op.create_table('second_step',
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('secret', sa.LargeBinary(), nullable=False),
    sa.Column('confirmed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_step', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_second_step_staff_id')),
    sa.PrimaryKeyConstraint('staff_id', name=op.f('pk_second_step'))
    )
    op.create_table('oversight_reading',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('reader_id', sa.BigInteger(), nullable=False),
    sa.Column('thread_id', sa.BigInteger(), nullable=False),
    sa.Column('owner_id', sa.BigInteger(), nullable=True),
    sa.Column('reason', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['owner_id'], ['staff.id'], name=op.f('fk_oversight_reading_owner_id')),
    sa.ForeignKeyConstraint(['reader_id'], ['staff.id'], name=op.f('fk_oversight_reading_reader_id')),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_oversight_reading_thread_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_oversight_reading'))
    )
    op.create_index(op.f('ix_oversight_reading_owner_id_id'), 'oversight_reading', ['owner_id', 'id'], unique=False)
    op.create_index(op.f('ix_oversight_reading_reader_id_thread_id_at'), 'oversight_reading', ['reader_id', 'thread_id', 'at'], unique=False)
    op.add_column('assignment', sa.Column('group_id', sa.BigInteger(), nullable=True))
    op.create_check_constraint('one_place', 'assignment', 'num_nonnulls(school_id, group_id) <= 1')
    op.drop_constraint(op.f('uq_assignment_staff_id_role_id_school_id'), 'assignment', type_='unique')
    op.create_index(op.f('ix_assignment_group_id'), 'assignment', ['group_id'], unique=False)
    op.create_unique_constraint(op.f('uq_assignment_staff_id_role_id_school_id_group_id'), 'assignment', ['staff_id', 'role_id', 'school_id', 'group_id'], postgresql_nulls_not_distinct=True)
    op.create_foreign_key(op.f('fk_assignment_group_id'), 'assignment', 'school_group', ['group_id'], ['id'])
    op.add_column('number', sa.Column('quarantined_until', sa.DateTime(timezone=True), nullable=True))
    op.add_column('role', sa.Column('two_step_required', sa.Boolean(), server_default=sa.text('false'), nullable=False))
    op.drop_constraint(op.f('uq_role_name'), 'role', type_='unique')
    op.create_index('uq_role_lower_name', 'role', [sa.literal_column('lower(name)')], unique=True)
    op.drop_constraint(op.f('uq_school_name'), 'school', type_='unique')
    op.create_index('uq_school_lower_name', 'school', [sa.literal_column('lower(name)')], unique=True)
    op.add_column('session', sa.Column('stage', sa.Text(), server_default='complete', nullable=False))
    op.drop_index(op.f('ix_session_staff_id'), table_name='session')
    op.create_index(op.f('ix_session_staff_id_used_at'), 'session', ['staff_id', 'used_at'], unique=False)
    op.create_index('ix_staff_by_name', 'staff', [sa.literal_column('plain(name)').label('plain_name'), 'id'], unique=False)
    op.create_index(op.f('ix_staff_created_at_id'), 'staff', ['created_at', 'id'], unique=False)
    op.add_column('staff', sa.Column('found_by', sa.Text(), sa.Computed('plain_words(name, email, title)', persisted=True), nullable=True))
    op.create_index('ix_staff_words_trgm', 'staff', ['found_by'], unique=False, postgresql_using='gin', postgresql_ops={'found_by': 'gin_trgm_ops'})
    op.add_column('thread', sa.Column('continued_in_id', sa.BigInteger(), nullable=True))
    op.create_index('ix_thread_newest_of_all', 'thread', [sa.literal_column('last_at DESC'), sa.literal_column('id DESC')], unique=False, postgresql_where=sa.text('last_at IS NOT NULL'))
    op.create_index(op.f('ix_thread_continued_in_id'), 'thread', ['continued_in_id'], unique=False)
    op.create_foreign_key(op.f('fk_thread_continued_in_id'), 'thread', 'thread', ['continued_in_id'], ['id'])
    op.execute(APPEND_ONLY)
    for table in GUARDED:
        op.execute(
            f'CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON {table} '
            'FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()'
        )
        op.execute(
            f'CREATE TRIGGER no_truncate BEFORE TRUNCATE ON {table} '
            'FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()'
        )


def downgrade() -> None:
    op.drop_constraint(op.f('fk_thread_continued_in_id'), 'thread', type_='foreignkey')
    op.drop_index('ix_thread_newest_of_all', table_name='thread', postgresql_where=sa.text('last_at IS NOT NULL'))
    op.drop_index(op.f('ix_thread_continued_in_id'), table_name='thread')
    op.drop_column('thread', 'continued_in_id')
    op.drop_index('ix_staff_words_trgm', table_name='staff', postgresql_using='gin', postgresql_ops={'found_by': 'gin_trgm_ops'})
    op.drop_column('staff', 'found_by')
    op.drop_index('ix_staff_by_name', table_name='staff')
    op.drop_index(op.f('ix_staff_created_at_id'), table_name='staff')
    op.drop_index(op.f('ix_session_staff_id_used_at'), table_name='session')
    op.create_index(op.f('ix_session_staff_id'), 'session', ['staff_id'], unique=False)
    op.drop_column('session', 'stage')
    op.drop_index('uq_school_lower_name', table_name='school')
    op.create_unique_constraint(op.f('uq_school_name'), 'school', ['name'], postgresql_nulls_not_distinct=False)
    op.drop_index('uq_role_lower_name', table_name='role')
    op.create_unique_constraint(op.f('uq_role_name'), 'role', ['name'], postgresql_nulls_not_distinct=False)
    op.drop_column('role', 'two_step_required')
    op.drop_column('number', 'quarantined_until')
    op.drop_constraint(op.f('fk_assignment_group_id'), 'assignment', type_='foreignkey')
    op.drop_constraint(op.f('uq_assignment_staff_id_role_id_school_id_group_id'), 'assignment', type_='unique')
    op.drop_index(op.f('ix_assignment_group_id'), table_name='assignment')
    op.drop_constraint(op.f('ck_assignment_one_place'), 'assignment', type_='check')
    op.execute('DELETE FROM assignment WHERE group_id IS NOT NULL')  # they would become the district's
    op.drop_column('assignment', 'group_id')
    op.create_unique_constraint(op.f('uq_assignment_staff_id_role_id_school_id'), 'assignment', ['staff_id', 'role_id', 'school_id'], postgresql_nulls_not_distinct=True)
    op.drop_index(op.f('ix_oversight_reading_reader_id_thread_id_at'), table_name='oversight_reading')
    op.drop_index(op.f('ix_oversight_reading_owner_id_id'), table_name='oversight_reading')
    op.drop_table('oversight_reading')
    op.drop_table('second_step')
    op.drop_table('recovery_code')
    op.drop_index('uq_hand_over_standing', table_name='hand_over', postgresql_where=sa.text('ended_at IS NULL'))
    op.drop_index(op.f('ix_hand_over_successor_id'), table_name='hand_over')
    op.drop_table('hand_over')
    op.drop_index(op.f('ix_group_school_school_id'), table_name='group_school')
    op.drop_table('group_school')
    op.drop_index(op.f('ix_external_identity_staff_id'), table_name='external_identity')
    op.drop_table('external_identity')
    op.drop_index('ix_audit_entry_unsealed', table_name='audit_entry', postgresql_where=sa.text('seal_id IS NULL'))
    op.drop_index(op.f('ix_audit_entry_subject_id_id'), table_name='audit_entry')
    op.drop_index(op.f('ix_audit_entry_seal_id'), table_name='audit_entry')
    op.drop_index('ix_audit_entry_schools', table_name='audit_entry', postgresql_using='gin')
    op.drop_index('ix_audit_entry_newest', table_name='audit_entry')
    op.drop_index(op.f('ix_audit_entry_kind_at'), table_name='audit_entry')
    op.drop_index('ix_audit_entry_names_trgm', table_name='audit_entry', postgresql_using='gin', postgresql_ops={'plain_names': 'gin_trgm_ops'})
    op.drop_index(op.f('ix_audit_entry_actor_id_id'), table_name='audit_entry')
    op.drop_table('audit_entry')
    op.drop_index(op.f('ix_account_link_staff_id'), table_name='account_link')
    op.drop_table('account_link')
    op.drop_index('uq_school_group_lower_name', table_name='school_group')
    op.drop_table('school_group')
    op.drop_table('audit_seal')
    op.execute('DROP FUNCTION audit_is_append_only')
    op.execute('DROP FUNCTION plain_names')
    op.execute('DROP FUNCTION plain_words')
