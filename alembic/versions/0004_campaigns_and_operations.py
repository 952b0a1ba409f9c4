"""Campaigns, pools, alerts, and what the engine under the inbox remembers."""

from __future__ import annotations

import sqlalchemy as sa
import sqlmodel
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


EVERY_SCHOOLS_CAMPAIGN = """
INSERT INTO campaign (school_id, problem, next_attempt_at, attempts)
SELECT id, '', now(), 0 FROM (SELECT id FROM school UNION ALL SELECT NULL) AS every_one
"""
OF_SCHOOLS = "UPDATE number SET campaign_id = campaign.id FROM campaign WHERE campaign.school_id = number.school_id"
OF_PEOPLE = """
WITH held AS (
    SELECT staff_id, coalesce(assignment.school_id, group_school.school_id) AS school_id
    FROM assignment LEFT JOIN group_school USING (group_id)
), alone AS (
    SELECT staff_id, min(school_id) AS school_id FROM held
    WHERE school_id IS NOT NULL GROUP BY staff_id HAVING count(DISTINCT school_id) = 1
)
UPDATE number SET campaign_id = coalesce(
    (SELECT campaign.id FROM campaign JOIN alone USING (school_id) WHERE alone.staff_id = number.staff_id),
    (SELECT id FROM campaign WHERE school_id IS NULL)
)
WHERE staff_id IS NOT NULL
"""
"""Who works at one school only travels with it; everybody else with the district."""


def upgrade() -> None:
    op.create_table('process',
    sa.Column('id', sa.Uuid(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('place', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('beat_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('turned_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('figures', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_process'))
    )
    op.create_table('reconciliation',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('began_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ended_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('compared', sa.Integer(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_reconciliation'))
    )
    op.create_table('campaign',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('school_id', sa.BigInteger(), nullable=True),
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=True),
    sa.Column('problem', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('full_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('stopped_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('next_attempt_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('attempts', sa.Integer(), nullable=False),
    sa.Column('slowed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('held_by', sa.Uuid(), nullable=True),
    sa.Column('held_until', sa.DateTime(timezone=True), nullable=True),
    sa.ForeignKeyConstraint(['school_id'], ['school.id'], name=op.f('fk_campaign_school_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_campaign')),
    sa.UniqueConstraint('school_id', name=op.f('uq_campaign_school_id'), postgresql_nulls_not_distinct=True),
    sa.UniqueConstraint('sid', name=op.f('uq_campaign_sid'))
    )
    op.create_table('pair',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('phone_id', sa.BigInteger(), nullable=False),
    sa.Column('number_id', sa.BigInteger(), nullable=False),
    sa.Column('thread_id', sa.BigInteger(), nullable=False),
    sa.Column('used_at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['number_id'], ['number.id'], name=op.f('fk_pair_number_id')),
    sa.ForeignKeyConstraint(['phone_id'], ['family_phone.id'], name=op.f('fk_pair_phone_id')),
    sa.ForeignKeyConstraint(['thread_id'], ['thread.id'], name=op.f('fk_pair_thread_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_pair')),
    sa.UniqueConstraint('phone_id', 'number_id', name=op.f('uq_pair_phone_id_number_id')),
    sa.UniqueConstraint('thread_id', name=op.f('uq_pair_thread_id'))
    )
    op.create_index(op.f('ix_pair_number_id'), 'pair', ['number_id'], unique=False)
    op.create_table('tie',
    sa.Column('phone_id', sa.BigInteger(), nullable=False),
    sa.Column('student_id', sa.BigInteger(), nullable=False),
    sa.Column('contact_id', sa.BigInteger(), nullable=True),
    sa.Column('fresh', sa.Boolean(), nullable=False),
    sa.Column('before_id', sa.BigInteger(), nullable=True),
    sa.Column('language', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['before_id'], ['family_phone.id'], name=op.f('fk_tie_before_id')),
    sa.ForeignKeyConstraint(['contact_id'], ['contact.id'], name=op.f('fk_tie_contact_id')),
    sa.ForeignKeyConstraint(['phone_id'], ['family_phone.id'], name=op.f('fk_tie_phone_id')),
    sa.ForeignKeyConstraint(['student_id'], ['student.id'], name=op.f('fk_tie_student_id')),
    sa.PrimaryKeyConstraint('phone_id', name=op.f('pk_tie'))
    )
    op.create_table('unknown_number',
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('e164', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('label', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('found_at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('sid', name=op.f('pk_unknown_number'))
    )
    op.create_table('alert',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('about', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('sentence', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('number_id', sa.BigInteger(), nullable=True),
    sa.Column('campaign_id', sa.BigInteger(), nullable=True),
    sa.Column('message_id', sa.BigInteger(), nullable=True),
    sa.Column('first_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('last_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('times', sa.Integer(), nullable=False),
    sa.Column('settled_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('settled_by', sa.BigInteger(), nullable=True),
    sa.ForeignKeyConstraint(['campaign_id'], ['campaign.id'], name=op.f('fk_alert_campaign_id')),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_alert_message_id')),
    sa.ForeignKeyConstraint(['number_id'], ['number.id'], name=op.f('fk_alert_number_id')),
    sa.ForeignKeyConstraint(['settled_by'], ['staff.id'], name=op.f('fk_alert_settled_by')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_alert'))
    )
    op.create_index('uq_alert_standing', 'alert', ['kind', 'about'], unique=True, postgresql_where=sa.text('settled_at IS NULL'))
    op.create_table('difference',
    sa.Column('id', sa.BigInteger(), nullable=False),
    sa.Column('reconciliation_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=True),
    sa.Column('mended', sa.Boolean(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_difference_message_id')),
    sa.ForeignKeyConstraint(['reconciliation_id'], ['reconciliation.id'], name=op.f('fk_difference_reconciliation_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_difference'))
    )
    op.create_index(op.f('ix_difference_reconciliation_id'), 'difference', ['reconciliation_id'], unique=False)
    op.create_index('uq_difference_found', 'difference', ['kind', 'sid'], unique=True)
    op.create_table('earlier_handover',
    sa.Column('sid', sqlmodel.sql.sqltypes.AutoString(), nullable=False),
    sa.Column('message_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['message_id'], ['message.id'], name=op.f('fk_earlier_handover_message_id')),
    sa.PrimaryKeyConstraint('sid', name=op.f('pk_earlier_handover'))
    )
    op.create_index(op.f('ix_earlier_handover_message_id'), 'earlier_handover', ['message_id'], unique=False)
    op.add_column('inbound_request', sa.Column('source', sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default=sa.text("'webhook'")))
    op.alter_column('inbound_request', 'source', server_default=None)
    op.create_index('ix_inbound_request_aside', 'inbound_request', ['id'], unique=False, postgresql_where=sa.text("problem <> ''"))
    op.add_column('message', sa.Column('purpose', sa.Text(), nullable=False, server_default=sa.text("'written'")))
    op.alter_column('message', 'purpose', server_default=None)
    op.add_column('message', sa.Column('bulk', sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.alter_column('message', 'bulk', server_default=None)
    op.add_column('message', sa.Column('doubled', sa.Text(), nullable=True))
    op.add_column('message', sa.Column('redelivered', sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.alter_column('message', 'redelivered', server_default=None)
    op.add_column('message', sa.Column('stop_question', sa.Text(), nullable=True))
    op.add_column('message', sa.Column('stop_answered_by', sa.BigInteger(), nullable=True))
    op.drop_index(op.f('ix_message_due'), table_name='message', postgresql_where="(state = ANY (ARRAY['queued'::text, 'submitting'::text, 'unknown'::text]))")
    op.create_index('ix_message_at_carrier', 'message', ['number_id', 'handed_over_at'], unique=False, postgresql_include=['segments'], postgresql_where=sa.text("state IN ('accepted', 'sending')"))
    op.create_index('ix_message_doubtful', 'message', ['next_attempt_at', 'id'], unique=False, postgresql_where=sa.text("state IN ('submitting', 'unknown')"))
    op.create_index('ix_message_queued', 'message', ['number_id', 'bulk', 'next_attempt_at', 'id'], unique=False, postgresql_where=sa.text("state = 'queued'"))
    op.create_index('ix_message_stop_question', 'message', ['thread_id', 'id'], unique=False, postgresql_where=sa.text("stop_question = 'open'"))
    op.create_index('ix_message_written', 'message', ['created_at'], unique=False, postgresql_using='brin')
    op.create_index('ix_message_waiting', 'message', ['thread_id', 'id'], unique=False, postgresql_where=sa.text("state IN ('queued', 'submitting', 'unknown')"))
    op.create_foreign_key(op.f('fk_message_stop_answered_by'), 'message', 'staff', ['stop_answered_by'], ['id'])
    op.add_column('number', sa.Column('pooled', sa.Boolean(), nullable=False, server_default=sa.text("false")))
    op.alter_column('number', 'pooled', server_default=None)
    op.add_column('number', sa.Column('campaign_id', sa.BigInteger(), nullable=True))
    op.add_column('number', sa.Column('joined_id', sa.BigInteger(), nullable=True))
    op.add_column('number', sa.Column('join_at', sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")))
    op.alter_column('number', 'join_at', server_default=None)
    op.add_column('number', sa.Column('join_attempts', sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.alter_column('number', 'join_attempts', server_default=None)
    op.add_column('number', sa.Column('bought_at', sa.DateTime(timezone=True), nullable=True))
    op.add_column('number', sa.Column('released_at', sa.DateTime(timezone=True), nullable=True))
    op.drop_constraint(op.f('ck_number_one_owner'), 'number', type_='check')
    op.create_check_constraint(op.f('ck_number_one_owner'), 'number', 'num_nonnulls(staff_id, school_id) + pooled::int = 1')
    op.drop_constraint(op.f('uq_number_e164'), 'number', type_='unique')
    op.create_index('uq_number_e164', 'number', ['e164'], unique=True, postgresql_where=sa.text("state <> 'released'"))
    op.drop_constraint(op.f('uq_number_school_id'), 'number', type_='unique')
    op.create_index('uq_number_school_id', 'number', ['school_id'], unique=True, postgresql_where=sa.text("state <> 'released'"))
    op.drop_constraint(op.f('uq_number_sid'), 'number', type_='unique')
    op.create_index('uq_number_sid', 'number', ['sid'], unique=True, postgresql_where=sa.text("state <> 'released'"))
    op.drop_constraint(op.f('uq_number_staff_id'), 'number', type_='unique')
    op.create_index('uq_number_staff_id', 'number', ['staff_id'], unique=True, postgresql_where=sa.text("state <> 'released'"))
    op.execute(EVERY_SCHOOLS_CAMPAIGN)
    op.execute(OF_SCHOOLS)
    op.execute(OF_PEOPLE)
    op.execute("UPDATE message SET purpose = 'automatic' WHERE direction = 'out' AND author_id IS NULL")
    op.execute("UPDATE number SET bought_at = now() WHERE sid IS NOT NULL")
    op.alter_column('number', 'campaign_id', nullable=False)
    op.create_index(op.f('ix_number_campaign_id'), 'number', ['campaign_id'], unique=False)
    op.create_foreign_key(op.f('fk_number_campaign_id'), 'number', 'campaign', ['campaign_id'], ['id'])
    op.create_foreign_key(op.f('fk_number_joined_id'), 'number', 'campaign', ['joined_id'], ['id'])
    op.add_column('school', sa.Column('office_phone', sqlmodel.sql.sqltypes.AutoString(), nullable=False, server_default=sa.text("''")))
    op.alter_column('school', 'office_phone', server_default=None)


def downgrade() -> None:
    op.execute('DELETE FROM number WHERE pooled')  # their texts, if there are any, keep this from being undone
    op.drop_constraint(op.f('ck_number_one_owner'), 'number', type_='check')
    op.drop_column('school', 'office_phone')
    op.drop_constraint(op.f('fk_number_joined_id'), 'number', type_='foreignkey')
    op.drop_constraint(op.f('fk_number_campaign_id'), 'number', type_='foreignkey')
    op.drop_index(op.f('ix_number_campaign_id'), table_name='number')
    op.drop_index('uq_number_staff_id', table_name='number', postgresql_where=sa.text("state <> 'released'"))
    op.create_unique_constraint(op.f('uq_number_staff_id'), 'number', ['staff_id'], postgresql_nulls_not_distinct=False)
    op.drop_index('uq_number_sid', table_name='number', postgresql_where=sa.text("state <> 'released'"))
    op.create_unique_constraint(op.f('uq_number_sid'), 'number', ['sid'], postgresql_nulls_not_distinct=False)
    op.drop_index('uq_number_school_id', table_name='number', postgresql_where=sa.text("state <> 'released'"))
    op.create_unique_constraint(op.f('uq_number_school_id'), 'number', ['school_id'], postgresql_nulls_not_distinct=False)
    op.drop_index('uq_number_e164', table_name='number', postgresql_where=sa.text("state <> 'released'"))
    op.create_unique_constraint(op.f('uq_number_e164'), 'number', ['e164'], postgresql_nulls_not_distinct=False)
    op.drop_column('number', 'released_at')
    op.drop_column('number', 'bought_at')
    op.drop_column('number', 'join_attempts')
    op.drop_column('number', 'join_at')
    op.drop_column('number', 'joined_id')
    op.drop_column('number', 'campaign_id')
    op.drop_column('number', 'pooled')
    op.create_check_constraint(op.f('ck_number_one_owner'), 'number', 'num_nonnulls(staff_id, school_id) = 1')
    op.drop_constraint(op.f('fk_message_stop_answered_by'), 'message', type_='foreignkey')
    op.drop_index('ix_message_written', table_name='message', postgresql_using='brin')
    op.drop_index('ix_message_waiting', table_name='message', postgresql_where=sa.text("state IN ('queued', 'submitting', 'unknown')"))
    op.drop_index('ix_message_stop_question', table_name='message', postgresql_where=sa.text("stop_question = 'open'"))
    op.drop_index('ix_message_queued', table_name='message', postgresql_where=sa.text("state = 'queued'"))
    op.drop_index('ix_message_at_carrier', table_name='message', postgresql_include=['segments'], postgresql_where=sa.text("state IN ('accepted', 'sending')"))
    op.drop_index('ix_message_doubtful', table_name='message', postgresql_where=sa.text("state IN ('submitting', 'unknown')"))
    op.create_index(op.f('ix_message_due'), 'message', ['next_attempt_at', 'id'], unique=False, postgresql_where="(state = ANY (ARRAY['queued'::text, 'submitting'::text, 'unknown'::text]))")
    op.drop_column('message', 'stop_answered_by')
    op.drop_column('message', 'stop_question')
    op.drop_column('message', 'redelivered')
    op.drop_column('message', 'doubled')
    op.drop_column('message', 'bulk')
    op.drop_column('message', 'purpose')
    op.drop_index('ix_inbound_request_aside', table_name='inbound_request', postgresql_where=sa.text("problem <> ''"))
    op.drop_column('inbound_request', 'source')
    op.drop_index(op.f('ix_earlier_handover_message_id'), table_name='earlier_handover')
    op.drop_table('earlier_handover')
    op.drop_index('uq_difference_found', table_name='difference')
    op.drop_index(op.f('ix_difference_reconciliation_id'), table_name='difference')
    op.drop_table('difference')
    op.drop_index('uq_alert_standing', table_name='alert', postgresql_where=sa.text('settled_at IS NULL'))
    op.drop_table('alert')
    op.drop_table('unknown_number')
    op.drop_table('tie')
    op.drop_index(op.f('ix_pair_number_id'), table_name='pair')
    op.drop_table('pair')
    op.drop_table('campaign')
    op.drop_table('reconciliation')
    op.drop_table('process')
