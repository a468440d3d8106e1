-- One row is one dataset. Its id is the seq of the record that created it, and never changes.
-- Try: select name, owner from fold.datasets where next_number > 2;
create table fold.datasets (
    id bigint,
    name varchar,
    description varchar,
    owner varchar,
    created_at timestamp,
    created_by varchar,
    updated_at timestamp,
    next_number bigint
);
