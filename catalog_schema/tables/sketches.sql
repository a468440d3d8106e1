-- One row is one version's sketch (base64), from which its likeness to others is estimated.
-- Try: select count(*) from fold.sketches;
create table fold.sketches (
    dataset_id bigint,
    number bigint,
    sketch varchar
);
