-- One row is one alias and the version it points to.
-- Try: select alias, ref from aliases where name = 'cmr';
create view main.aliases as
select
    d.name as name,
    a.alias as alias,
    d.name || '@v' || a.number as ref,
    a.number as version,
    a.set_at as set_at,
    a.set_by as set_by
from fold.aliases a
join fold.datasets d on d.id = a.dataset_id
join fold.versions v on v.dataset_id = a.dataset_id and v.number = a.number
where v.trashed_seq is null;
