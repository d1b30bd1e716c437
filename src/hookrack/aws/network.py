"""Where the functions and the store live: a network without a way out, or one that is there."""

from typing import Any, Final

Json = dict[str, Any]

STORE_PORT: Final = 6379
_TLS_PORT: Final = 443
VPC: Final = {"Fn::If": ["OwnVpc", {"Ref": "Vpc"}, {"Ref": "VpcId"}]}
SUBNETS: Final = {
    "Fn::If": ["OwnVpc", [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}], {"Ref": "SubnetIds"}]
}
_CIDR: Final = {"Ref": "VpcCidr"}


def network_resources() -> Json:
    """Two private subnets with an endpoint for SQS, and who may talk to whom."""
    return {
        "Vpc": _own(
            "AWS::EC2::VPC",
            CidrBlock=_CIDR,
            EnableDnsSupport=True,
            EnableDnsHostnames=True,
            Tags=[{"Key": "Name", "Value": {"Ref": "AWS::StackName"}}],
        ),
        "SubnetA": _subnet(0),
        "SubnetB": _subnet(1),
        "QueueEndpoint": _own(
            "AWS::EC2::VPCEndpoint",
            VpcId={"Ref": "Vpc"},
            VpcEndpointType="Interface",
            ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.sqs"},
            PrivateDnsEnabled=True,
            SubnetIds=[{"Ref": "SubnetA"}, {"Ref": "SubnetB"}],
            SecurityGroupIds=[{"Fn::GetAtt": ["EndpointGroup", "GroupId"]}],
        ),
        "EndpointGroup": _own(
            "AWS::EC2::SecurityGroup",
            GroupDescription="The functions reach SQS",
            VpcId={"Ref": "Vpc"},
            SecurityGroupIngress=[_from_functions(_TLS_PORT)],
            SecurityGroupEgress=_nowhere(),
        ),
        "FunctionsGroup": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "The functions reach the store and SQS, nobody reaches them",
                "VpcId": VPC,
                "SecurityGroupEgress": [
                    _rule(STORE_PORT, "the store") | {"CidrIp": _CIDR},
                    _rule(_TLS_PORT, "SQS, at its endpoint") | {"CidrIp": _CIDR},
                ],
            },
        },
        "StoreGroup": {
            "Type": "AWS::EC2::SecurityGroup",
            "Condition": "OwnStore",
            "Properties": {
                "GroupDescription": "The functions reach the store, nobody else does",
                "VpcId": VPC,
                "SecurityGroupIngress": [_from_functions(STORE_PORT)],
                "SecurityGroupEgress": _nowhere(),
            },
        },
    }


def _own(kind: str, **properties: Any) -> Json:  # noqa: ANN401 - a CloudFormation property
    return {"Type": kind, "Condition": "OwnVpc", "Properties": properties}


def _subnet(number: int) -> Json:
    return _own(
        "AWS::EC2::Subnet",
        VpcId={"Ref": "Vpc"},
        CidrBlock={"Fn::Select": [number, {"Fn::Cidr": [_CIDR, 2, 6]}]},
        AvailabilityZone={"Fn::Select": [number, {"Fn::GetAZs": ""}]},
    )


def _rule(port: int, words: str) -> Json:
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "Description": words}


def _from_functions(port: int) -> Json:
    group = {"Fn::GetAtt": ["FunctionsGroup", "GroupId"]}
    return _rule(port, "the functions") | {"SourceSecurityGroupId": group}


def _nowhere() -> list[Json]:
    """An empty list would mean everywhere."""
    return [_rule(_TLS_PORT, "to nobody but itself") | {"CidrIp": "127.0.0.1/32"}]
