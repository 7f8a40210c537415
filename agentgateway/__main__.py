"""`python -m agentgateway` is the command `agentgateway`."""

from agentgateway.cli.main import main

if __name__ == "__main__":
    main(prog_name="agentgateway")
