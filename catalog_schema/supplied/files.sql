-- One row is one file, link or empty folder of one version outside the trash; all versions.
-- Try: select extension, count(*) as n, sum(bytes) as bytes from files group by extension;
create temp view files as
select
    d.name || '@v' || v.number as ref,
    d.name as name,
    v.number as version,
    e.path as path,
    e.kind as kind,
    e.size as bytes,
    lower(regexp_extract(
        e.path, '[^/](\.[A-Za-z0-9]{1,8}(\.(gz|bz2|xz|zst))?)$', 1
    )) as extension,
    lower(hex(e.digest)) as hash,
    e.executable as executable,
    make_timestamp_ns(e.mtime_ns)::timestamp as modified_at,
    e.target as target
from temp.manifest_entries e
join temp.manifest_files m on m.filename = e.filename
join catalog.fold.versions v on v.manifest_digest = m.digest
join catalog.fold.datasets d on d.id = v.dataset_id
where v.trashed_seq is null;
