DROP TABLE alert_outbox;
DROP TABLE alert_states;
DROP TABLE celaje_identity;
