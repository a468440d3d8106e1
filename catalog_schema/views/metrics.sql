-- One row is one metric of one version; `value` is JSON, `as_number` the number if it is one.
-- Try: select ref, as_number from metrics where key = 'dice' order by as_number desc;
create view main.metrics as
select
    d.name || '@v' || p.number as ref,
    d.name as name,
    p.number as version,
    p.key as key,
    p.value as value,
    p.as_number as as_number
from fold.metrics p
join fold.versions v on v.dataset_id = p.dataset_id and v.number = p.number
join fold.datasets d on d.id = p.dataset_id
where v.trashed_seq is null;
