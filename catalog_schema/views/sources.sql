-- One row is one version (`source`) that another (`ref`) was made from.
-- Try: select ref from sources where source = 'cmr@v3';
create view main.sources as
select
    d.name || '@v' || s.number as ref,
    d.name as name,
    s.number as version,
    o.name || '@v' || s.source_number as source,
    o.name as source_name,
    s.source_number as source_version
from fold.sources s
join fold.versions v on v.dataset_id = s.dataset_id and v.number = s.number
join fold.datasets d on d.id = s.dataset_id
join fold.datasets o on o.id = s.source_id
where v.trashed_seq is null;
