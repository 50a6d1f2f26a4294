DROP VIEW registro_historico;
