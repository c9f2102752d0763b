-- A stand-in for Citus in one database: the functions and the catalog that `tenantry migrate --distribute` uses. A
-- distributed table becomes a partitioned one, and a shard a partition. The names of a shard's indexes end with the
-- shard's number, as on a worker. A row whose distribution column changes would have to move.
SET allow_system_table_mods = on;

INSERT INTO pg_catalog.pg_extension (oid, extname, extowner, extnamespace, extrelocatable, extversion)
VALUES (16383, 'citus', 10, 2200, false, 'a stand-in');

CREATE TABLE pg_catalog.pg_dist_partition (
    logicalrelid regclass PRIMARY KEY, partmethod "char" NOT NULL, repmodel "char" NOT NULL, beside text);

-- The workers, and whether they answer.
CREATE TABLE pg_catalog.stand_in_workers (port int PRIMARY KEY, is_alive bool NOT NULL);
INSERT INTO pg_catalog.stand_in_workers VALUES (1, true), (2, true);

CREATE FUNCTION pg_catalog.run_command_on_workers(
    command text, OUT nodename text, OUT nodeport int, OUT success bool, OUT result text)
RETURNS SETOF record LANGUAGE sql AS $$
    SELECT 'worker', port, is_alive, '1' FROM pg_catalog.stand_in_workers
$$;

CREATE FUNCTION pg_catalog.citus_add_local_table_to_metadata(target regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    -- The table becomes a shard on the coordinator, whose violations name the shard in the constraint's name.
    FOR one IN SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indrelid = target AND indisunique LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', one.name, one.name || '_102007');
    END LOOP;
    INSERT INTO pg_dist_partition VALUES (target, 'n', 's');
END $$;

CREATE FUNCTION pg_catalog.create_distributed_table(
    target regclass, by_column text, distribution_type text DEFAULT 'hash', colocate_with text DEFAULT 'default',
    shard_count int DEFAULT 4) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    whole text := target::text;
    before text := whole || '_whole';
    shards text[];
    one record;
    made text;
    references_again text[] := '{}';
BEGIN
    IF colocate_with NOT IN ('none', 'default')
        AND NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = colocate_with::regclass) THEN
        RAISE EXCEPTION 'relation % is not distributed', colocate_with;
    END IF;
    -- Foreign keys from and to the table are created again after it is partitioned.
    FOR one IN SELECT conrelid::regclass::text AS referrer, conname AS name, pg_get_constraintdef(oid) AS key
        FROM pg_constraint
        WHERE contype = 'f' AND conparentid = 0 AND (conrelid = target OR confrelid = target)
    LOOP
        references_again := references_again
            || format('ALTER TABLE %I ADD CONSTRAINT %I %s', one.referrer, one.name, one.key);
        EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', one.referrer, one.name);
    END LOOP;
    EXECUTE format('ALTER TABLE %I RENAME TO %I', whole, before);
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY HASH (%I)',
        whole, before, by_column);
    FOR shard IN 0 .. shard_count - 1 LOOP
        shards := shards || (whole || '_' || 102008 + shard);
        EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES WITH (MODULUS %s, REMAINDER %s)',
            shards[shard + 1], whole, shard_count, shard);
    END LOOP;
    FOR one IN SELECT indexrelid, indrelid, c.relname AS name, indisprimary, indisunique,
            pg_get_indexdef(indexrelid) AS made, pg_get_constraintdef(k.oid) AS key
        FROM pg_index AS i JOIN pg_class AS c ON c.oid = indexrelid
        LEFT JOIN pg_constraint AS k ON k.conindid = indexrelid AND k.contype = 'p'
        WHERE indrelid = before::regclass
    LOOP
        EXECUTE format('ALTER INDEX %I RENAME TO %I', one.name, one.name || '_whole');
        -- The indexes of the shards come first: the index of the whole table adopts them.
        FOREACH made IN ARRAY shards || whole LOOP
            IF one.indisprimary THEN
                EXECUTE format('ALTER TABLE %I ADD CONSTRAINT %I %s', made,
                    one.name || substr(made, length(whole) + 1), one.key);
            ELSE
                EXECUTE format('CREATE %s INDEX %I ON %I USING %s',
                    CASE WHEN one.indisunique THEN 'UNIQUE' ELSE '' END,
                    one.name || substr(made, length(whole) + 1), made, split_part(one.made, ' USING ', 2));
            END IF;
        END LOOP;
    END LOOP;
    EXECUTE format('INSERT INTO %I SELECT * FROM %I', whole, before);
    EXECUTE format('DROP TABLE %I', before);
    FOREACH made IN ARRAY references_again LOOP
        EXECUTE made;
    END LOOP;
    INSERT INTO pg_dist_partition VALUES (whole::regclass, 'h', 'c', colocate_with);
END $$;
