"""Starts LocalStack, in its own environment: on the loopback address alone, and without TLS.

By itself it listens on every address of the machine, whatever it is told, and makes a certificate
with calls that its newer dependencies don't have.
"""

from localstack.runtime import main
from localstack.runtime.runtime import LocalstackRuntime
from rolo.serving.twisted import TwistedGateway
from twisted.internet import reactor


def listen(runtime: LocalstackRuntime) -> None:
    """Plain HTTP at the addresses of GATEWAY_LISTEN."""
    site = TwistedGateway(runtime.components.gateway)
    for each in runtime.config.GATEWAY_LISTEN:
        reactor.listenTCP(each.port, site, interface=each.host)


if __name__ == "__main__":
    LocalstackRuntime._init_gateway_server = listen
    main.main()
