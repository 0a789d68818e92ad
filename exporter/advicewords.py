"""What is told of each kind of error: what happened, the likely cause, the next step. Values only.

`{key}` stands for the configuration's key of the address that was asked, `{action}` for the permission that
the operation needs. Each text is at most 300 characters: the status page cuts there.
"""

from __future__ import annotations

WORDS: dict[str, tuple[str, str, str]] = {
    # No answer came
    "dns": (
        "The host name cannot be resolved",
        (
            "`region` or `{key}` is misspelt, the service does not exist in that region, or this host's "
            "resolver does not know outside names."
        ),
        (
            "Compare `region` and `{key}` with the vendor's list of endpoints; try `getent hosts NAME` here. "
            "Where only a proxy may look names up, set `proxy_url`."
        ),
    ),
    "connect": (
        "No connection",
        "Nothing listens at `{key}`, a firewall is in the way, or this network needs a proxy.",
        "Try `curl -sv` with that address from this host; let it out to port 443, or set `proxy_url`.",
    ),
    "timeout": (
        "No answer in time",
        "A firewall drops the packets, this network needs a proxy, or the API is slow at the moment.",
        (
            "Try `curl -sv` with the address of `{key}` from this host; where it is only slow, raise "
            "`polling.timeout`."
        ),
    ),
    "proxy": (
        "The proxy does not let the request through",
        "`proxy_url` is wrong, its user or password is not accepted, or it may not connect to that host.",
        "Check `proxy_url`; look into the proxy's log for CONNECT to the host of `{key}`.",
    ),
    "protocol": (
        "What answers does not speak HTTP as it should",
        "`{key}` names a port of something else, or a device on the way cuts connections.",
        "Check scheme, host and port of `{key}`; try `curl -sv` with it from this host.",
    ),
    "read": (
        "The connection broke in the middle of the answer",
        "The network, a proxy on the way or the API itself ended the connection.",
        "Wait: the exporter tries again. If it stays, try from another network and without the proxy.",
    ),
    "metadata": (
        "The metadata service does not answer",
        "This is no ECS server, its metadata service is switched off, or a container cannot reach it.",
        (
            "On an ECS server let this process reach 169.254.169.254 without a proxy; elsewhere use another "
            "`auth`."
        ),
    ),
    "ca_file": (
        "The file of certificates cannot be used",
        "The file that `ca_file` names is missing, unreadable for this user, or not in PEM form.",
        "Mend the file (it begins with -----BEGIN CERTIFICATE-----); it is read again without a restart.",
    ),
    "tls_date": (
        "The server's certificate is not valid today",
        "This host's clock is wrong, or the certificate has not been renewed.",
        "Compare `date -u` with the true time; if that is right, tell those who run `{key}`.",
    ),
    "tls_name": (
        "The server's certificate is for another name",
        "`{key}` names the host otherwise than its certificate does, or something else answers there.",
        "Write the certificate's name into `{key}`: `openssl s_client -connect HOST:443` shows it.",
    ),
    "tls_authority": (
        "The server's certificate is not trusted",
        (
            "It was issued by an authority that this host does not know: a private cloud's own, or that of "
            "a proxy which opens TLS."
        ),
        "Put the authority's certificate into a PEM file and name it in `ca_file`.",
    ),
    "tls": (
        "No secure connection",
        "The port of `{key}` does not speak TLS, or a device on the way tampers with it.",
        "Check scheme, host and port of `{key}`: `openssl s_client -connect HOST:443` shows who answers.",
    ),
    # The answer is not what it should be
    "html": (
        "A web page came instead of JSON",
        "A proxy, a login portal or the web console answered in the API's place.",
        "Check `{key}` (the API's host, not the console's), and whether `proxy_url` is needed.",
    ),
    "body": (
        "The answer is not what the API's document says",
        "`{key}` is not the address of this API, or the API has changed.",
        (
            "Check `region` and `{key}`. If they are right, report what `workspace-exporter check-config "
            "--probe FILE` shows."
        ),
    ),
    # An error status
    "address": (
        "The address serves no such API",
        "`region` or `endpoint` is wrong, or the Workspace service is not offered in that region.",
        (
            "Compare them with the vendor's list of endpoints; the usual one is "
            "https://workspace.REGION.myhuaweicloud.com (.eu for eu-west-101)."
        ),
    ),
    "disabled_service": (
        "The Workspace service is switched off",
        "The service was disabled in this project, perhaps for arrears, or `project_id` is another region's.",
        "Look at Workspace in the console of that region; compare `project_id` with `region`.",
    ),
    "tenant": (
        "The Workspace service is not opened",
        "Nobody has opened Workspace in this project, or `project_id` is that of another region.",
        "Open Workspace in the console of that region, or correct `region` and `project_id`.",
    ),
    "scope": (
        "The credentials are not for this project",
        "`project_id` is that of another region, or the token was issued for another project.",
        (
            "Compare `project_id` with `region` (My Credentials in the console lists both); unless `auth` is "
            "a ready token, leave `project_id` out and it is looked up."
        ),
    ),
    "forbidden": (
        "A permission is missing ({action})",
        "No policy of the user or agency allows {action}, or `project_id` is that of another region.",
        (
            "Attach an identity policy that allows {action} (the README shows the whole policy), and wait a "
            "few minutes."
        ),
    ),
    "throttled": (
        "Too many requests",
        "The API's limit was reached; other programs of the account count too.",
        (
            "Wait: the exporter slows down by itself. If it stays, lower `polling.requests_per_second` or "
            "raise `polling.refresh`."
        ),
    ),
    "task": (
        "The task does not exist",
        "It was deleted, or its id is that of another project or region.",
        "See what there is: workspace-exporter tasks --config.file FILE",
    ),
    "details": (
        "The run's desktops are not to be had",
        "The API no longer keeps the details of this run.",
        "Look at a newer one: workspace-exporter runs --config.file FILE --details TASK",
    ),
    "redirect": (
        "A redirect, which is not followed",
        "`{key}` is not the API's own address, or a login portal wants to be visited first.",
        "Write the address of the API itself into `{key}`; try `curl -sv` with it from this host.",
    ),
    "too_large": (
        "The request is too large for the gateway",
        "An IAM token can be several kilobytes long.",
        "Use `auth.aksk`, whose signatures are short.",
    ),
    "backend": (
        "The service behind the gateway does not answer",
        "The API is down or overloaded at the moment.",
        "Wait: the exporter tries again. If it stays, give the request id to the vendor's support.",
    ),
    "server": (
        "A fault inside the API",
        "The service failed at this request.",
        "Wait: the exporter tries again. If it stays, give the request id to the vendor's support.",
    ),
    "refused": (
        "The API refuses the request",
        "`project_id` is malformed or of another region, or this region's API differs from its document.",
        (
            "Compare `project_id` with `region`. If they are right, report what `workspace-exporter "
            "check-config --probe FILE` shows."
        ),
    ),
    # Signing in
    "secret": (
        "A secret is missing",
        "Its file does not exist, is empty, cannot be read by this user, or holds what cannot be sent.",
        "Write the file, or correct the `…_file` key; it is read again without a restart.",
    ),
    "agency": (
        "The metadata service gives no keys",
        "The ECS server has no agency, or one that is not delegated to the ECS service.",
        "Give the server an agency with the permissions of the README (on its page in the ECS console).",
    ),
    "key_locked": (
        "The access key is locked",
        (
            "More than five signatures in a row were refused: a wrong secret key, here or wherever else the "
            "key is used."
        ),
        "Correct `secret_key`; the lock ends five minutes after the last wrong try.",
    ),
    "clock": (
        "The signature is out of its time",
        "This host's clock is wrong: a signature is good for 15 minutes to either side.",
        "Synchronise the clock (chrony or systemd-timesyncd; `timedatectl` shows whether it is).",
    ),
    "account_locked": (
        "The account is locked",
        "Too many wrong passwords, here or elsewhere; a lock lasts 15 minutes or what the account says.",
        (
            "Wait for its end without another try; then sign in once by hand to see whether the password is "
            "right."
        ),
    ),
    "no_project": (
        "The sign-in does not reach the project",
        (
            "The account has no project named like `region`, the user may not enter it, or `project_id` is "
            "another account's."
        ),
        "Compare `region` and `project_id` with My Credentials in the console; grant the user the project.",
    ),
    "password": (
        "The sign-in was refused",
        (
            "`domain_name` (the account's name), `user_name` or `password` is wrong, or the user may not "
            "sign in by password (HUAWEI ID, federated user, MFA, no programmatic access)."
        ),
        "Check the three against IAM, or use `auth.aksk`. Each try counts: accounts lock.",
    ),
    "sign_in_forbidden": (
        "The sign-in is not allowed",
        "The user is disabled, has no programmatic access, or may not sign in from this address.",
        "Look at the user in IAM (access type, login protection, address rules), or use `auth.aksk`.",
    ),
    "token_ended": (
        "The token is not accepted",
        "It has ended (tokens last 24 hours), was withdrawn, or is one of another region.",
        (
            "Write a new one into `token_file`; it is read without a restart. `auth.password` and "
            "`auth.aksk` renew by themselves."
        ),
    ),
    "keys": (
        "The access key is not accepted",
        (
            "It does not exist or is disabled, its secret key is another's, or temporary keys have ended or "
            "lack their `security_token`."
        ),
        "Compare the key's id with IAM and write both parts anew. Each wrong try counts: keys lock.",
    ),
    "credentials": (
        "The credentials are refused",
        "They have ended, were withdrawn, or belong to another account or region.",
        "Compare them, `region` and `project_id` with the console, and write them anew.",
    ),
    # What the exporter itself found
    "project": (
        "The project's id is not known",
        "IAM names projects after regions, and this account has none, or several, of the name in `region`.",
        "Set `project_id` (My Credentials in the console lists region, project and id).",
    ),
    "max_tasks": (
        "Not every task is watched",
        "The project has more tasks than `polling.max_tasks`.",
        "Raise `polling.max_tasks`, narrow `discovery`, or spread the tasks with --shard.",
    ),
    "internal": (
        "The exporter itself failed",
        "A defect of the exporter.",
        "Report it, with the lines around it in the log.",
    ),
    "command": (
        "The command failed",
        "What it was told to look at is not there or not reachable.",
        "Read the command's --help and the sentence above.",
    ),
    # The configuration
    "environment": (
        "The configuration is wrong",
        "The file takes a value from the environment, and this process does not have it.",
        "Set the variable where the process is started; a plain `$` is written `$$`.",
    ),
    "listen": (
        "The address cannot be listened on",
        "Another process has it (another exporter?), or this host has no such address.",
        "Choose another --web.listen-address; `ss -ltnp` shows who has it.",
    ),
    "file": (
        "A file cannot be used",
        "It is missing or empty, or this user may not read it.",
        "Correct its name (relative to the configuration file), its owner or its mode.",
    ),
    "key": (
        "The configuration is wrong",
        "The key is misspelt, stands at another level, or belongs to another version.",
        "Compare it with docs/configuration.md, which lists every key.",
    ),
    "yaml": (
        "The configuration is wrong",
        "An indentation, a quote or a colon is not as YAML wants it.",
        "Mend the line that is named; a text with special characters goes in quotes.",
    ),
    "configuration": (
        "The configuration is wrong",
        "The value is not one that the key takes, or contradicts another.",
        (
            "Correct it (docs/configuration.md describes every key), then run `workspace-exporter "
            "check-config FILE`."
        ),
    ),
}
