"""The district, its people, their phones, threads, messages and ledgers."""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None
PLAIN = r"""
CREATE FUNCTION plain(words text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN translate(
    lower(regexp_replace(normalize(words, NFKD), U&'[\0300-\036F]', '', 'g')), 'đłøı‘’ʼ', 'dloi'''''''
)
"""
"""Names as they are looked for: small letters without accents. Immutable, so that an index can be made of it."""


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute(PLAIN)
    op.create_table('district',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('demonstration', sa.Boolean(), nullable=False),
    sa.Column('time_zone', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_district'))
    )
    op.create_table('family_phone',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('e164', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('language', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_family_phone')),
    sa.UniqueConstraint('e164', name=op.f('uq_family_phone_e164'))
    )
    op.create_index('ix_family_phone_e164_trgm', 'family_phone', ['e164'], unique=False, postgresql_using='gin', postgresql_ops={'e164': 'gin_trgm_ops'})
    op.create_table('role',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('level', sa.Text(), nullable=False),
    sa.Column('base_key', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('permissions', sa.ARRAY(sa.Text()), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_role')),
    sa.UniqueConstraint('base_key', name=op.f('uq_role_base_key')),
    sa.UniqueConstraint('name', name=op.f('uq_role_name'))
    )
    op.create_table('school',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('area_code', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('time_zone', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_school')),
    sa.UniqueConstraint('name', name=op.f('uq_school_name'))
    )
    op.create_table('sign_in_failure',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('account', sa.LargeBinary(), nullable=False),
    sa.Column('address', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_sign_in_failure'))
    )
    op.create_index(op.f('ix_sign_in_failure_account_at'), 'sign_in_failure', ['account', 'at'], unique=False)
    op.create_index(op.f('ix_sign_in_failure_address_at'), 'sign_in_failure', ['address', 'at'], unique=False)
    op.create_table('staff',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('email', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('title', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('password_hash', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('signature', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('active', sa.Boolean(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_staff')),
    sa.UniqueConstraint('email', name=op.f('uq_staff_email'))
    )
    op.create_table('watermark',
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('name', name=op.f('pk_watermark'))
    )
    op.create_table('assignment',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('role_id', sa.BigInteger(), nullable=False),
    sa.Column('school_id', sa.BigInteger(), nullable=True),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['role_id'], ['role.id'], name=op.f('fk_assignment_role_id')),
    sa.ForeignKeyConstraint(['school_id'], ['school.id'], name=op.f('fk_assignment_school_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_assignment_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_assignment')),
    sa.UniqueConstraint('staff_id', 'role_id', 'school_id', name=op.f('uq_assignment_staff_id_role_id_school_id'), postgresql_nulls_not_distinct=True)
    )
    op.create_index(op.f('ix_assignment_role_id'), 'assignment', ['role_id'], unique=False)
    op.create_index(op.f('ix_assignment_school_id'), 'assignment', ['school_id'], unique=False)
    op.create_table('contact',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('language', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('phone_id', sa.BigInteger(), nullable=True),
    sa.Column('source', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.ForeignKeyConstraint(['phone_id'], ['family_phone.id'], name=op.f('fk_contact_phone_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_contact'))
    )
    op.create_index('ix_contact_name_trgm', 'contact', [sa.literal_column('plain(name)').label('plain_name')], unique=False, postgresql_using='gin', postgresql_ops={'plain_name': 'gin_trgm_ops'})
    op.create_index(op.f('ix_contact_phone_id'), 'contact', ['phone_id'], unique=False)
    op.create_table('inbox',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=True),
    sa.Column('school_id', sa.BigInteger(), nullable=True),
    sa.CheckConstraint('num_nonnulls(staff_id, school_id) = 1', name=op.f('ck_inbox_one_owner')),
    sa.ForeignKeyConstraint(['school_id'], ['school.id'], name=op.f('fk_inbox_school_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_inbox_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbox')),
    sa.UniqueConstraint('school_id', name=op.f('uq_inbox_school_id')),
    sa.UniqueConstraint('staff_id', name=op.f('uq_inbox_staff_id'))
    )
    op.create_table('number',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('e164', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('staff_id', sa.BigInteger(), nullable=True),
    sa.Column('school_id', sa.BigInteger(), nullable=True),
    sa.Column('area_code', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('problem', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.CheckConstraint("state <> 'active' or (e164 is not null and sid is not null)", name=op.f('ck_number_active_is_bought')),
    sa.CheckConstraint('num_nonnulls(staff_id, school_id) = 1', name=op.f('ck_number_one_owner')),
    sa.ForeignKeyConstraint(['school_id'], ['school.id'], name=op.f('fk_number_school_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_number_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_number')),
    sa.UniqueConstraint('e164', name=op.f('uq_number_e164')),
    sa.UniqueConstraint('school_id', name=op.f('uq_number_school_id')),
    sa.UniqueConstraint('sid', name=op.f('uq_number_sid')),
    sa.UniqueConstraint('staff_id', name=op.f('uq_number_staff_id'))
    )
    op.create_table('session',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('token_digest', sa.LargeBinary(), nullable=False),
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('address', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('browser', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_session_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_session')),
    sa.UniqueConstraint('token_digest', name=op.f('uq_session_token_digest'))
    )
    op.create_index(op.f('ix_session_staff_id'), 'session', ['staff_id'], unique=False)
    op.create_table('student',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('name', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('birth_date', sa.Date(), nullable=True),
    sa.Column('grade', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('school_id', sa.BigInteger(), nullable=False),
    sa.Column('phone_id', sa.BigInteger(), nullable=True),
    sa.Column('source', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.ForeignKeyConstraint(['phone_id'], ['family_phone.id'], name=op.f('fk_student_phone_id')),
    sa.ForeignKeyConstraint(['school_id'], ['school.id'], name=op.f('fk_student_school_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_student'))
    )
    op.create_index('ix_student_name_trgm', 'student', [sa.literal_column('plain(name)').label('plain_name')], unique=False, postgresql_using='gin', postgresql_ops={'plain_name': 'gin_trgm_ops'})
    op.create_index(op.f('ix_student_phone_id'), 'student', ['phone_id'], unique=False)
    op.create_index(op.f('ix_student_school_id'), 'student', ['school_id'], unique=False)
    op.create_table('guardianship',
    sa.Column('student_id', sa.BigInteger(), nullable=False),
    sa.Column('contact_id', sa.BigInteger(), nullable=False),
    sa.Column('relation', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_guardianship_contact_id')),
    sa.ForeignKeyConstraint(['student_id'], ['student.id'], name=op.f('fk_guardianship_student_id')),
    sa.PrimaryKeyConstraint('student_id', 'contact_id', name=op.f('pk_guardianship'))
    )
    op.create_index(op.f('ix_guardianship_contact_id'), 'guardianship', ['contact_id'], unique=False)
    op.create_table('thread',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('inbox_id', sa.BigInteger(), nullable=False),
    sa.Column('phone_id', sa.BigInteger(), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('last_message_id', sa.BigInteger(), nullable=True),
    sa.Column('last_direction', sa.Text(), nullable=True),
    sa.Column('last_author_id', sa.BigInteger(), nullable=True),
    sa.Column('preview', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('inbound_count', sa.Integer(), nullable=False),
    sa.Column('introduced_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['inbox_id'], ['inbox.id'], name=op.f('fk_thread_inbox_id')),
    sa.ForeignKeyConstraint(['last_author_id'], ['staff.id'], name=op.f('fk_thread_last_author_id')),
    sa.ForeignKeyConstraint(['phone_id'], ['family_phone.id'], name=op.f('fk_thread_phone_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_thread')),
    sa.UniqueConstraint('inbox_id', 'phone_id', name=op.f('uq_thread_inbox_id_phone_id'))
    )
    op.create_index('ix_thread_newest', 'thread', ['inbox_id', sa.literal_column('last_at DESC'), sa.literal_column('id DESC')], unique=False, postgresql_where=sa.text('last_at IS NOT NULL'))
    op.create_index(op.f('ix_thread_phone_id'), 'thread', ['phone_id'], unique=False)
    op.create_table('draft',
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('thread_id', sa.BigInteger(), nullable=False),
    sa.Column('client_key', sa.Uuid(), nullable=False),
    sa.Column('written', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_draft_staff_id')),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_draft_thread_id')),
    sa.PrimaryKeyConstraint('staff_id', 'thread_id', name=op.f('pk_draft'))
    )
    op.create_table('message',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('thread_id', sa.BigInteger(), nullable=False),
    sa.Column('inbox_id', sa.BigInteger(), nullable=False),
    sa.Column('direction', sa.Text(), nullable=False),
    sa.Column('author_id', sa.BigInteger(), nullable=True),
    sa.Column('number_id', sa.BigInteger(), nullable=False),
    sa.Column('sender', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('recipient', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('written', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('body', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('media', sa.Integer(), nullable=False),
    sa.Column('segments', sa.Integer(), nullable=False),
    sa.Column('client_key', sa.Uuid(), nullable=True),
    sa.Column('retried', sa.Boolean(), nullable=False),
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('state', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('handed_over_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['author_id'], ['staff.id'], name=op.f('fk_message_author_id')),
    sa.ForeignKeyConstraint(['inbox_id'], ['inbox.id'], name=op.f('fk_message_inbox_id')),
    sa.ForeignKeyConstraint(['number_id'], ['number.id'], name=op.f('fk_message_number_id')),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_message_thread_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_message')),
    sa.UniqueConstraint('author_id', 'client_key', name=op.f('uq_message_author_id_client_key')),
    sa.UniqueConstraint('sid', name=op.f('uq_message_sid'))
    )
    op.create_index('ix_message_due', 'message', ['next_attempt_at', 'id'], unique=False, postgresql_where=sa.text("state IN ('queued', 'submitting', 'unknown')"))
    op.create_index('ix_message_hand_over', 'message', ['recipient', 'sender', 'handed_over_at'], unique=False)
    op.create_index('ix_message_in_flight', 'message', ['created_at'], unique=False, postgresql_where=sa.text("state IN ('accepted', 'sending', 'sent')"))
    op.create_index('ix_message_thread', 'message', ['thread_id', 'created_at', 'id'], unique=False)
    op.create_table('read_marker',
    sa.Column('staff_id', sa.BigInteger(), nullable=False),
    sa.Column('thread_id', sa.BigInteger(), nullable=False),
    sa.Column('seen', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_read_marker_staff_id')),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_read_marker_thread_id')),
    sa.PrimaryKeyConstraint('staff_id', 'thread_id', name=op.f('pk_read_marker'))
    )
    op.create_table('consent_event',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('phone_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('scope', sa.Text(), nullable=False),
    sa.Column('number_id', sa.BigInteger(), nullable=True),
    sa.Column('school_id', sa.BigInteger(), nullable=True),
    sa.Column('message_id', sa.BigInteger(), nullable=True),
    sa.Column('staff_id', sa.BigInteger(), nullable=True),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_consent_event_message_id')),
    sa.ForeignKeyConstraint(['number_id'], ['number.id'], name=op.f('fk_consent_event_number_id')),
    sa.ForeignKeyConstraint(['phone_id'], ['family_phone.id'], name=op.f('fk_consent_event_phone_id')),
    sa.ForeignKeyConstraint(['school_id'], ['school.id'], name=op.f('fk_consent_event_school_id')),
    sa.ForeignKeyConstraint(['staff_id'], ['staff.id'], name=op.f('fk_consent_event_staff_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_consent_event'))
    )
    op.create_index(op.f('ix_consent_event_phone_id_id'), 'consent_event', ['phone_id', 'id'], unique=False)
    op.create_table('delivery_event',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=True),
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('state', sa.Text(), nullable=True),
    sa.Column('reason', sa.Text(), nullable=True),
    sa.Column('code', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('source', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_delivery_event_message_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_delivery_event'))
    )
    op.create_index(op.f('ix_delivery_event_message_id'), 'delivery_event', ['message_id'], unique=False)
    op.create_index('uq_delivery_event_report', 'delivery_event', ['sid', 'state', 'code'], unique=True, postgresql_nulls_not_distinct=True)
    op.create_table('inbound_request',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('sender', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('form', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('received_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('routed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('message_id', sa.BigInteger(), nullable=True),
    sa.Column('problem', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_inbound_request_message_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_inbound_request')),
    sa.UniqueConstraint('sid', name=op.f('uq_inbound_request_sid'))
    )
    op.create_index('ix_inbound_request_family', 'inbound_request', ['sender', 'id'], unique=False, postgresql_where=sa.text('routed_at IS NULL'))
    op.create_index('ix_inbound_request_waiting', 'inbound_request', ['id'], unique=False, postgresql_where=sa.text('routed_at IS NULL'))


def downgrade() -> None:
    op.drop_index('ix_inbound_request_waiting', table_name='inbound_request', postgresql_where=sa.text('routed_at IS NULL'))
    op.drop_index('ix_inbound_request_family', table_name='inbound_request', postgresql_where=sa.text('routed_at IS NULL'))
    op.drop_table('inbound_request')
    op.drop_index('uq_delivery_event_report', table_name='delivery_event', postgresql_nulls_not_distinct=True)
    op.drop_index(op.f('ix_delivery_event_message_id'), table_name='delivery_event')
    op.drop_table('delivery_event')
    op.drop_index(op.f('ix_consent_event_phone_id_id'), table_name='consent_event')
    op.drop_table('consent_event')
    op.drop_table('read_marker')
    op.drop_index('ix_message_thread', table_name='message')
    op.drop_index('ix_message_in_flight', table_name='message', postgresql_where=sa.text("state IN ('accepted', 'sending', 'sent')"))
    op.drop_index('ix_message_hand_over', table_name='message')
    op.drop_index('ix_message_due', table_name='message', postgresql_where=sa.text("state IN ('queued', 'submitting', 'unknown')"))
    op.drop_table('message')
    op.drop_table('draft')
    op.drop_index(op.f('ix_thread_phone_id'), table_name='thread')
    op.drop_index('ix_thread_newest', table_name='thread', postgresql_where=sa.text('last_at IS NOT NULL'))
    op.drop_table('thread')
    op.drop_index(op.f('ix_guardianship_contact_id'), table_name='guardianship')
    op.drop_table('guardianship')
    op.drop_index(op.f('ix_student_school_id'), table_name='student')
    op.drop_index(op.f('ix_student_phone_id'), table_name='student')
    op.drop_index('ix_student_name_trgm', table_name='student', postgresql_using='gin', postgresql_ops={'plain_name': 'gin_trgm_ops'})
    op.drop_table('student')
    op.drop_index(op.f('ix_session_staff_id'), table_name='session')
    op.drop_table('session')
    op.drop_table('number')
    op.drop_table('inbox')
    op.drop_index(op.f('ix_contact_phone_id'), table_name='contact')
    op.drop_index('ix_contact_name_trgm', table_name='contact', postgresql_using='gin', postgresql_ops={'plain_name': 'gin_trgm_ops'})
    op.drop_table('contact')
    op.drop_index(op.f('ix_assignment_school_id'), table_name='assignment')
    op.drop_index(op.f('ix_assignment_role_id'), table_name='assignment')
    op.drop_table('assignment')
    op.drop_table('watermark')
    op.drop_table('staff')
    op.drop_index(op.f('ix_sign_in_failure_address_at'), table_name='sign_in_failure')
    op.drop_index(op.f('ix_sign_in_failure_account_at'), table_name='sign_in_failure')
    op.drop_table('sign_in_failure')
    op.drop_table('school')
    op.drop_table('role')
    op.drop_index('ix_family_phone_e164_trgm', table_name='family_phone', postgresql_using='gin', postgresql_ops={'e164': 'gin_trgm_ops'})
    op.drop_table('family_phone')
    op.drop_table('district')
    op.execute("DROP FUNCTION plain")
