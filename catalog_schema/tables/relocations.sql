-- One row is one record that put content elsewhere: its part of the index counts for every version.
-- Try: select seq, session from fold.relocations;
create table fold.relocations (
    seq bigint,
    session varchar
);
