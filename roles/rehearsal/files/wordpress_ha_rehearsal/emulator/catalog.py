# Copyright: Contributors to the wordpress_ha.aws project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS offers and this collection may ask for: versions, classes and parameters of databases and caches.

Only names that exist at AWS, so that a misspelt one is refused here as it would be there; not all of them.
"""

from __future__ import annotations

from typing import NamedTuple


class Parameter(NamedTuple):
    """A parameter of a database or cache family: its default in the API, and whether a change needs a restart."""

    default: str | None = None
    static: bool = False


#: Aurora MySQL: full version to parameter family; the last one is the default.
AURORA_MYSQL_VERSIONS = {
    "5.7.mysql_aurora.2.12.5": "aurora-mysql5.7",
    "8.0.mysql_aurora.3.04.4": "aurora-mysql8.0",
    "8.0.mysql_aurora.3.08.2": "aurora-mysql8.0",
    "8.0.mysql_aurora.3.09.0": "aurora-mysql8.0",
    "8.0.mysql_aurora.3.10.0": "aurora-mysql8.0",
    "8.0.mysql_aurora.3.10.1": "aurora-mysql8.0",
    "8.0.mysql_aurora.3.11.0": "aurora-mysql8.0",
}
AURORA_MYSQL_DEFAULT = "8.0.mysql_aurora.3.08.2"

_SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
DB_CLASSES = frozenset(
    ["db.t3.medium", "db.t3.large", "db.t4g.medium", "db.t4g.large", "db.serverless"]
    + [f"db.{family}.{size}" for family in ("r5", "r6g", "r6i", "r7g", "r7i", "r8g") for size in _SIZES]
    + [f"db.{family}.24xlarge" for family in ("r5", "r6i", "r7i", "r8g")]
)

#: Cluster parameters of aurora-mysql8.0 (5.7 shares nearly all of them).
AURORA_MYSQL_PARAMETERS = {
    "aurora_binlog_replication_max_yield_seconds": Parameter("0"),
    "aurora_enhanced_binlog": Parameter("0", True),
    "aurora_load_from_s3_role": Parameter(),
    "aurora_parallel_query": Parameter("OFF"),
    "aurora_replica_read_consistency": Parameter(),
    "auto_increment_increment": Parameter(),
    "auto_increment_offset": Parameter(),
    "autocommit": Parameter(),
    "binlog_checksum": Parameter("NONE"),
    "binlog_format": Parameter("OFF", True),
    "binlog_row_image": Parameter(),
    "binlog_transaction_compression": Parameter(),
    "character_set_client": Parameter(),
    "character_set_connection": Parameter(),
    "character_set_database": Parameter(),
    "character_set_filesystem": Parameter(),
    "character_set_results": Parameter(),
    "character_set_server": Parameter(),
    "collation_connection": Parameter(),
    "collation_server": Parameter(),
    "completion_type": Parameter(),
    "connect_timeout": Parameter(),
    "default_storage_engine": Parameter("InnoDB"),
    "event_scheduler": Parameter("ON"),
    "explicit_defaults_for_timestamp": Parameter("1", True),
    "general_log": Parameter("0"),
    "group_concat_max_len": Parameter(),
    "gtid-mode": Parameter("OFF_PERMISSIVE", True),
    "init_connect": Parameter(),
    "innodb_autoinc_lock_mode": Parameter("2", True),
    "innodb_buffer_pool_size": Parameter("{DBInstanceClassMemory*3/4}", True),
    "innodb_default_row_format": Parameter(),
    "innodb_file_per_table": Parameter("1", True),
    "innodb_flush_log_at_trx_commit": Parameter("1"),
    "innodb_ft_enable_stopword": Parameter(),
    "innodb_ft_max_token_size": Parameter(None, True),
    "innodb_ft_min_token_size": Parameter(None, True),
    "innodb_lock_wait_timeout": Parameter(),
    "innodb_open_files": Parameter("6000", True),
    "innodb_print_all_deadlocks": Parameter(),
    "innodb_stats_persistent": Parameter(),
    "innodb_strict_mode": Parameter(),
    "interactive_timeout": Parameter(),
    "internal_tmp_mem_storage_engine": Parameter("TempTable"),
    "lc_time_names": Parameter(),
    "local_infile": Parameter("1"),
    "lock_wait_timeout": Parameter(),
    "log_bin_trust_function_creators": Parameter(),
    "log_error_verbosity": Parameter(),
    "log_output": Parameter("FILE"),
    "log_queries_not_using_indexes": Parameter(),
    "long_query_time": Parameter(),
    "lower_case_table_names": Parameter("0", True),
    "max_allowed_packet": Parameter(),
    "max_connect_errors": Parameter(),
    "max_connections": Parameter(
        "GREATEST({log(DBInstanceClassMemory/805306368)*45},{log(DBInstanceClassMemory/8187281408)*1000})"
    ),
    "max_execution_time": Parameter(),
    "max_heap_table_size": Parameter(),
    "max_prepared_stmt_count": Parameter(),
    "max_user_connections": Parameter(),
    "min_examined_row_limit": Parameter(),
    "net_read_timeout": Parameter(),
    "net_retry_count": Parameter(),
    "net_write_timeout": Parameter(),
    "performance_schema": Parameter("0", True),
    "read_only": Parameter("{TrueIfClusterReplica}"),
    "require_secure_transport": Parameter("OFF"),
    "server_audit_events": Parameter(),
    "server_audit_excl_users": Parameter(),
    "server_audit_incl_users": Parameter(),
    "server_audit_logging": Parameter("0"),
    "server_audit_logs_upload": Parameter("0"),
    "skip_name_resolve": Parameter("1", True),
    "slow_query_log": Parameter(),
    "sort_buffer_size": Parameter(),
    "sql_mode": Parameter(),
    "table_definition_cache": Parameter("{LEAST(DBInstanceClassMemory/393040,20000)}"),
    "table_open_cache": Parameter("{LEAST(DBInstanceClassMemory/1179121,6000)}"),
    "time_zone": Parameter("UTC"),
    "tls_version": Parameter("TLSv1.2,TLSv1.3", True),
    "tmp_table_size": Parameter(),
    "transaction_isolation": Parameter(),
    "wait_timeout": Parameter(),
}
DB_FAMILIES = {"aurora-mysql5.7": AURORA_MYSQL_PARAMETERS, "aurora-mysql8.0": AURORA_MYSQL_PARAMETERS}

#: Cache engines: version as asked for to (version as described, parameter family); the last one is the default.
CACHE_VERSIONS = {
    "redis": {
        "6.2": ("6.2.6", "redis6.x"),
        "7.0": ("7.0.7", "redis7"),
        "7.1": ("7.1.0", "redis7"),
    },
    "valkey": {
        "7.2": ("7.2.6", "valkey7"),
        "8.1": ("8.1.0", "valkey8"),
        "8.2": ("8.2.0", "valkey8"),
        "9.0": ("9.0.0", "valkey9"),
        "8.0": ("8.0.1", "valkey8"),
    },
}
_CACHE_SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
CACHE_NODE_TYPES = frozenset(
    [f"cache.{family}.{size}" for family in ("t3", "t4g") for size in ("micro", "small", "medium")]
    + [f"cache.{family}.{size}" for family in ("m5", "m6g", "m7g", "r5", "r6g", "r7g") for size in _CACHE_SIZES]
    + [f"cache.r6gd.{size}" for size in _CACHE_SIZES[1:]]
)
CACHE_PARAMETERS = {
    "acllog-max-len": Parameter("128"),
    "active-defrag-cycle-max": Parameter("75"),
    "active-defrag-cycle-min": Parameter("5"),
    "active-defrag-ignore-bytes": Parameter("104857600"),
    "active-defrag-max-scan-fields": Parameter("1000"),
    "active-defrag-threshold-lower": Parameter("10"),
    "active-defrag-threshold-upper": Parameter("100"),
    "active-expire-effort": Parameter("1"),
    "activedefrag": Parameter("no"),
    "activerehashing": Parameter("yes", True),
    "appendfsync": Parameter("everysec"),
    "appendonly": Parameter("no"),
    "client-output-buffer-limit-normal-hard-limit": Parameter("0"),
    "client-output-buffer-limit-normal-soft-limit": Parameter("0"),
    "client-output-buffer-limit-normal-soft-seconds": Parameter("0"),
    "client-output-buffer-limit-pubsub-hard-limit": Parameter("33554432"),
    "client-output-buffer-limit-pubsub-soft-limit": Parameter("8388608"),
    "client-output-buffer-limit-pubsub-soft-seconds": Parameter("60"),
    "close-on-replica-write": Parameter("yes"),
    "cluster-allow-pubsubshard-when-down": Parameter("yes"),
    "cluster-allow-reads-when-down": Parameter("no"),
    "cluster-enabled": Parameter("no", True),
    "cluster-require-full-coverage": Parameter("no"),
    "databases": Parameter("16", True),
    "hash-max-listpack-entries": Parameter("512"),
    "hash-max-listpack-value": Parameter("64"),
    "hll-sparse-max-bytes": Parameter("3000"),
    "latency-tracking": Parameter("no"),
    "lazyfree-lazy-eviction": Parameter("no"),
    "lazyfree-lazy-expire": Parameter("no"),
    "lazyfree-lazy-server-del": Parameter("no"),
    "lazyfree-lazy-user-del": Parameter("no"),
    "lazyfree-lazy-user-flush": Parameter("no"),
    "lfu-decay-time": Parameter("1"),
    "lfu-log-factor": Parameter("10"),
    "list-compress-depth": Parameter("0"),
    "list-max-listpack-size": Parameter("-2"),
    "lua-replicate-commands": Parameter("yes"),
    "maxclients": Parameter("65000", True),
    "maxmemory-policy": Parameter("volatile-lru"),
    "maxmemory-samples": Parameter("3"),
    "min-replicas-max-lag": Parameter("10"),
    "min-replicas-to-write": Parameter("0"),
    "notify-keyspace-events": Parameter(""),
    "proto-max-bulk-len": Parameter("536870912"),
    "rename-commands": Parameter(""),
    "repl-backlog-size": Parameter("1048576"),
    "repl-backlog-ttl": Parameter("3600"),
    "repl-timeout": Parameter("60"),
    "reserved-memory-percent": Parameter("25"),
    "set-max-intset-entries": Parameter("512"),
    "set-max-listpack-entries": Parameter("128"),
    "set-max-listpack-value": Parameter("64"),
    "slowlog-log-slower-than": Parameter("10000"),
    "slowlog-max-len": Parameter("128"),
    "stream-node-max-bytes": Parameter("4096"),
    "stream-node-max-entries": Parameter("100"),
    "tcp-keepalive": Parameter("300"),
    "timeout": Parameter("0"),
    "tracking-table-max-keys": Parameter("1000000"),
    "zset-max-listpack-entries": Parameter("128"),
    "zset-max-listpack-value": Parameter("64"),
}
#: Memcached: full version to parameter family; the last one is the default.
MEMCACHED_VERSIONS = {
    "1.6.6": "memcached1.6",
    "1.6.12": "memcached1.6",
    "1.6.17": "memcached1.6",
    "1.6.22": "memcached1.6",
}
MEMCACHED_PARAMETERS = {
    "backlog_queue_limit": Parameter("1024", True),
    "binding_protocol": Parameter("auto", True),
    "cas_disabled": Parameter("0", True),
    "chunk_size": Parameter("48", True),
    "chunk_size_growth_factor": Parameter("1.25", True),
    "disable_flush_all": Parameter("0", True),
    "error_on_memory_exhausted": Parameter("0", True),
    "hash_algorithm": Parameter("murmur3", True),
    "idle_timeout": Parameter("0", True),
    "lru_crawler": Parameter("1", True),
    "lru_maintainer": Parameter("1", True),
    "max_item_size": Parameter("1048576", True),
    "max_simultaneous_connections": Parameter("65000", True),
    "memcached_connections_overhead": Parameter("100", True),
    "slab_automove": Parameter("1", True),
    "slab_reassign": Parameter("1", True),
}
CACHE_FAMILIES = tuple(
    sorted({family for versions in CACHE_VERSIONS.values() for _unused, family in versions.values()} | {"memcached1.6"})
)
