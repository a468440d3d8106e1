-- One row is one version that is not in the trash. Bytes are of all its files.
-- Try: select ref, author, bytes from versions order by created_at desc limit 10;
create view main.versions as
select
    d.name || '@v' || v.number as ref,
    d.name as name,
    v.number as version,
    split_part(v.tree, ':', 2) as hash,
    v.message as message,
    v.author as author,
    v.created_at as created_at,
    v.files as files,
    v.bytes as bytes,
    v.new_bytes as new_bytes,
    v.stored_bytes as stored_bytes,
    d.name || '@v' || v.base_number as base,
    v.added as added,
    v.modified as modified,
    v.removed as removed,
    v.code_repo as code_repo,
    v.code_commit as code_commit,
    v.code_dirty as code_dirty,
    v.added_from as added_from
from fold.versions v
join fold.datasets d on d.id = v.dataset_id
where v.trashed_seq is null;
