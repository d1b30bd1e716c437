"""The store: MemoryDB, ElastiCache for Valkey, or one that is there already.

The differences are in what a failover can lose. MemoryDB writes to a log in several zones before
it answers, and loses nothing. ElastiCache copies to its replica afterwards, so what it has
answered last may be gone, after SQS has deleted it: that has to be accepted by name. Serverless
caches evict, which no parameter turns off: name one as an existing store, with that loss.
"""

from typing import Any, Final

from hookrack.aws.functions import SECRET
from hookrack.aws.network import STORE_PORT, SUBNETS

Json = dict[str, Any]

# Our keys and channels only; no command that shows or changes the server, but the one that says
# how full it is. Another prefix of keys needs another line here.
ACCESS: Final = "on ~hr1:* &hr1:* +@all -@admin -@dangerous +info"
_PASSWORDS: Final = [{"Fn::Sub": SECRET % "HOOKRACK_STORE_PASSWORD"}]
_GROUPS: Final = [{"Fn::GetAtt": ["StoreGroup", "GroupId"]}]


def store_resources() -> Json:
    """Both kinds; the parameter Store decides which is made."""
    return {**_memory_db(), **_cache(), **_cache_users()}


def _memory_db() -> Json:
    own = "${AWS::StackName}-store"
    return {
        "MemoryDb": {
            "Type": "AWS::MemoryDB::Cluster",
            "Condition": "UseMemoryDb",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "ClusterName": {"Fn::Sub": own},
                "Engine": "valkey",
                "EngineVersion": "7.3",
                "NodeType": {"Ref": "MemoryDbNodeType"},
                "NumShards": 1,
                "NumReplicasPerShard": 0,
                "ACLName": {"Ref": "MemoryDbAcl"},
                "ParameterGroupName": {"Ref": "MemoryDbParameters"},
                "SubnetGroupName": {"Ref": "MemoryDbSubnets"},
                "SecurityGroupIds": _GROUPS,
                "TLSEnabled": True,
                "Port": STORE_PORT,
                "SnapshotRetentionLimit": 7,
            },
        },
        "MemoryDbParameters": {
            "Type": "AWS::MemoryDB::ParameterGroup",
            "Condition": "UseMemoryDb",
            "Properties": {
                "ParameterGroupName": {"Fn::Sub": own},
                "Family": "memorydb_valkey7",
                "Parameters": {"maxmemory-policy": "noeviction"},
            },
        },
        "MemoryDbSubnets": {
            "Type": "AWS::MemoryDB::SubnetGroup",
            "Condition": "UseMemoryDb",
            "Properties": {"SubnetGroupName": {"Fn::Sub": own}, "SubnetIds": SUBNETS},
        },
        "MemoryDbUser": {
            "Type": "AWS::MemoryDB::User",
            "Condition": "UseMemoryDb",
            "Properties": {
                "UserName": "hookrack",
                "AccessString": ACCESS,
                "AuthenticationMode": {"Type": "password", "Passwords": _PASSWORDS},
            },
        },
        "MemoryDbAcl": {
            "Type": "AWS::MemoryDB::ACL",
            "Condition": "UseMemoryDb",
            "DependsOn": "MemoryDbUser",
            "Properties": {"ACLName": {"Fn::Sub": own}, "UserNames": ["hookrack"]},
        },
    }


def _cache() -> Json:
    return {
        "Cache": {
            "Type": "AWS::ElastiCache::ReplicationGroup",
            "Condition": "UseElastiCache",
            "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            "Properties": {
                "ReplicationGroupDescription": "hookrack's entries",
                "Engine": "valkey",
                "EngineVersion": "8.0",
                "CacheNodeType": {"Ref": "ElastiCacheNodeType"},
                "ClusterMode": "disabled",
                "NumCacheClusters": 2,
                "AutomaticFailoverEnabled": True,
                "MultiAZEnabled": True,
                "TransitEncryptionEnabled": True,
                "TransitEncryptionMode": "required",
                "AtRestEncryptionEnabled": True,
                "UserGroupIds": [{"Ref": "CacheUsers"}],
                "CacheParameterGroupName": {"Ref": "CacheParameters"},
                "CacheSubnetGroupName": {"Ref": "CacheSubnets"},
                "SecurityGroupIds": _GROUPS,
                "Port": STORE_PORT,
                "SnapshotRetentionLimit": 7,
            },
        },
        "CacheParameters": {
            "Type": "AWS::ElastiCache::ParameterGroup",
            "Condition": "UseElastiCache",
            "Properties": {
                "Description": "A full store refuses; it never forgets",
                "CacheParameterGroupFamily": "valkey8",
                "Properties": {"maxmemory-policy": "noeviction"},
            },
        },
        "CacheSubnets": {
            "Type": "AWS::ElastiCache::SubnetGroup",
            "Condition": "UseElastiCache",
            "Properties": {"Description": "hookrack's store", "SubnetIds": SUBNETS},
        },
    }


def _cache_users() -> Json:
    """Who may do what in it."""
    return {
        "CacheUser": {
            "Type": "AWS::ElastiCache::User",
            "Condition": "UseElastiCache",
            "Properties": {
                "Engine": "valkey",
                "UserId": {"Fn::Sub": "${AWS::StackName}-hookrack"},
                "UserName": "hookrack",
                "AccessString": ACCESS,
                "AuthenticationMode": {"Type": "password", "Passwords": _PASSWORDS},
            },
        },
        "CacheUsers": {
            "Type": "AWS::ElastiCache::UserGroup",
            "Condition": "UseElastiCache",
            "Properties": {
                "Engine": "valkey",
                "UserGroupId": {"Fn::Sub": "${AWS::StackName}-hookrack"},
                "UserIds": [{"Ref": "CacheUser"}],
            },
        },
    }
