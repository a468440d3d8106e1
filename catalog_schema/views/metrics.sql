-- One row is one metric of a version. `value` is JSON, `as_number` its number, `better` min or max.
-- Try: select ref, as_number from metrics where key = 'dice' order by as_number desc;
create view main.metrics as
select
    d.name || '@v' || p.number as ref,
    d.name as name,
    p.number as version,
    p.key as key,
    p.value as value,
    p.as_number as as_number,
    b.better as better
from fold.metrics p
join fold.versions v on v.dataset_id = p.dataset_id and v.number = p.number
join fold.datasets d on d.id = p.dataset_id
left join fold.directions b on b.dataset_id = p.dataset_id and b.key = p.key
where v.trashed_seq is null;
