SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE public.api_key_uses (
    api_key_id uuid NOT NULL,
    generation bigint NOT NULL,
    address character varying(255) NOT NULL COLLATE pg_catalog."C",
    agent character varying(255) NOT NULL COLLATE pg_catalog."C",
    at bigint NOT NULL
);
CREATE TABLE public.api_keys (
    id uuid NOT NULL,
    service_account_id uuid NOT NULL,
    name character varying(255) NOT NULL COLLATE pg_catalog."C",
    description text NOT NULL COLLATE pg_catalog."C",
    active boolean NOT NULL,
    generation bigint NOT NULL,
    hash bytea NOT NULL,
    retained_generation bigint,
    retained_hash bytea,
    retained_until bigint,
    retain_period_minutes bigint NOT NULL,
    expires bigint,
    last_login bigint,
    last_rotated bigint,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    version bigint NOT NULL,
    last_address character varying(255) COLLATE pg_catalog."C",
    last_agent character varying(255) COLLATE pg_catalog."C"
);
CREATE TABLE public.audit_events (
    id uuid NOT NULL,
    created bigint NOT NULL,
    actor_kind character varying(255) NOT NULL COLLATE pg_catalog."C",
    actor_id uuid,
    actor_name character varying(255) COLLATE pg_catalog."C",
    credential_kind character varying(255) COLLATE pg_catalog."C",
    credential_id uuid,
    action character varying(255) NOT NULL COLLATE pg_catalog."C",
    target_kind character varying(255) NOT NULL COLLATE pg_catalog."C",
    target_id uuid NOT NULL,
    target_name text COLLATE pg_catalog."C",
    address text COLLATE pg_catalog."C",
    request_id text COLLATE pg_catalog."C",
    user_agent text COLLATE pg_catalog."C",
    details text COLLATE pg_catalog."C"
);
CREATE TABLE public.device_grants (
    id uuid NOT NULL,
    client_id uuid NOT NULL,
    device_code bytea NOT NULL,
    user_code bytea NOT NULL,
    hostname text COLLATE pg_catalog."C",
    os text COLLATE pg_catalog."C",
    ip_address text COLLATE pg_catalog."C",
    python_version text COLLATE pg_catalog."C",
    zenml_version text COLLATE pg_catalog."C",
    poll_interval bigint NOT NULL,
    last_polled bigint,
    failed_attempts bigint NOT NULL,
    state character varying(255) NOT NULL COLLATE pg_catalog."C",
    decided bigint,
    approved_by uuid,
    credentials_gen bigint,
    trusted boolean,
    denial_reason character varying(255) COLLATE pg_catalog."C",
    device_id uuid,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    expires bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE public.devices (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    client_id uuid NOT NULL,
    state character varying(255) NOT NULL COLLATE pg_catalog."C",
    trusted boolean NOT NULL,
    expires bigint NOT NULL,
    hostname text COLLATE pg_catalog."C",
    os text COLLATE pg_catalog."C",
    ip_address text COLLATE pg_catalog."C",
    python_version text COLLATE pg_catalog."C",
    zenml_version text COLLATE pg_catalog."C",
    token_gen bigint NOT NULL,
    last_login bigint,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    version bigint NOT NULL,
    last_address character varying(255) COLLATE pg_catalog."C",
    last_agent character varying(255) COLLATE pg_catalog."C"
);
CREATE TABLE public.guards (
    name character varying(255) NOT NULL COLLATE pg_catalog."C",
    version bigint NOT NULL
);
CREATE TABLE public.migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.revocation_epoch (
    singleton integer NOT NULL,
    epoch bigint NOT NULL
);
CREATE TABLE public.revocations (
    epoch bigint NOT NULL,
    "position" bigint NOT NULL,
    kind character varying(255) NOT NULL COLLATE pg_catalog."C",
    identity uuid NOT NULL
);
CREATE TABLE public.server (
    singleton integer NOT NULL,
    id uuid NOT NULL,
    secret bytea NOT NULL,
    project_id uuid NOT NULL,
    stack_id uuid NOT NULL,
    orchestrator_id uuid NOT NULL,
    artifact_store_id uuid NOT NULL,
    created bigint NOT NULL
);
CREATE TABLE public.service_accounts (
    id uuid NOT NULL,
    name character varying(255) NOT NULL COLLATE pg_catalog."C",
    full_name text NOT NULL COLLATE pg_catalog."C",
    description text NOT NULL COLLATE pg_catalog."C",
    avatar_url text COLLATE pg_catalog."C",
    active boolean NOT NULL,
    created bigint NOT NULL,
    updated bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE public.sessions (
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    cookie bytea,
    credentials_gen bigint NOT NULL,
    created bigint NOT NULL,
    expires bigint NOT NULL,
    version bigint NOT NULL
);
CREATE TABLE public.signing_keys (
    id uuid NOT NULL,
    seed bytea NOT NULL,
    created bigint NOT NULL,
    retired_until bigint,
    version bigint NOT NULL
);
CREATE TABLE public.users (
    id uuid NOT NULL,
    name character varying(255) NOT NULL COLLATE pg_catalog."C",
    full_name text NOT NULL COLLATE pg_catalog."C",
    email text COLLATE pg_catalog."C",
    email_opted_in boolean,
    active boolean NOT NULL,
    is_admin boolean NOT NULL,
    password text COLLATE pg_catalog."C",
    password_changed bigint,
    activation bytea,
    credentials_gen bigint NOT NULL,
    metadata text COLLATE pg_catalog."C",
    default_project_id uuid,
    avatar_url text COLLATE pg_catalog."C",
    created bigint NOT NULL,
    updated bigint NOT NULL,
    version bigint NOT NULL
);
INSERT INTO public.api_key_uses VALUES ('ec30141a-082c-493c-9500-a93294604642', 2, '127.0.0.1', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', 1795780444843984);
INSERT INTO public.api_keys VALUES ('daedbe46-c168-43c6-b95c-06841d02733f', '9a3d6bc0-6165-47e2-87a4-a7a0c01a55f4', 'off', '', false, 1, '\x3aba3af4b45d1cab59ca836fa148bf80909d2cdb38345a934f90c295ebcd5bbe', NULL, NULL, NULL, 0, NULL, NULL, NULL, 1795780444848190, 1795780444851179, 2, NULL, NULL);
INSERT INTO public.api_keys VALUES ('a4a36bd6-20ca-4f6e-b197-7a2b47ad95a7', 'feb65f20-06fb-4acb-be41-76dcbb33f264', 'key', '', true, 1, '\xb761a24df83b2f7472f9396d2e7020adfed8506252d1e3a55d9322f4a9de7d12', NULL, NULL, NULL, 0, NULL, NULL, NULL, 1795780444855734, 1795780444855734, 1, NULL, NULL);
INSERT INTO public.api_keys VALUES ('ec30141a-082c-493c-9500-a93294604642', '9a3d6bc0-6165-47e2-87a4-a7a0c01a55f4', 'key', '', true, 2, '\x7dc4ad6cc3e380a5cd91a3e2d79de1173cd2012a7562a432775b5aa6645944a7', 1, '\xf027dd8d56fab0ab90b3fa0530d2832602067db44a2d0870917d0f9024098722', 1795780444840622, 0, NULL, 1795780444843984, 1795780444840622, 1795780444837077, 1795780444840622, 2, '127.0.0.1', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux');
INSERT INTO public.audit_events VALUES ('01a21cdb-0148-705d-aa04-8abb60084123', 1795780444488125, 'server', NULL, NULL, NULL, NULL, 'server.initialized', 'server', '9f349c51-74f8-476f-97e1-d9057dc26b17', NULL, NULL, NULL, NULL, NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0148-7950-bf2a-664307da3961', 1795780444488125, 'server', NULL, NULL, NULL, NULL, 'user.created', 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', NULL, NULL, NULL, NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-018e-79ec-9f69-c44fc0266577', 1795780444558803, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', NULL, NULL, 'session.started', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', NULL, '127.0.0.1', 'a26aca2948de4ff7', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0201-7bc7-8116-a85b5dc68d5a', 1795780444673835, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'user.created', 'user', '681c78d8-da2f-4037-bb2a-53c62c6444bd', 'invited', '127.0.0.1', '57506e187d85eb7b', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0236-76e9-b79d-7ae1ab791ebb', 1795780444726085, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'user.created', 'user', '2bdfa804-c2c2-42bc-a5c8-b199dff4bf26', 'bob', '127.0.0.1', '63ac54e76b391321', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0248-79f9-96f5-25deb4996bec', 1795780444744314, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'user.created', 'user', '1282cb86-8c17-42b3-84f9-5c22854a6bbf', 'carol', '127.0.0.1', 'd8433326f7c8f33a', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-025b-7d0b-bdc8-2f04484c1c2a', 1795780444763942, 'user', '1282cb86-8c17-42b3-84f9-5c22854a6bbf', 'carol', NULL, NULL, 'session.started', 'session', 'bf496629-3d43-49ba-a99d-39aba7a3da60', NULL, '127.0.0.1', 'a2ff1e2e7a3ff22a', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0262-766f-8334-de652a49e948', 1795780444770085, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'user.deactivated', 'user', '1282cb86-8c17-42b3-84f9-5c22854a6bbf', 'carol', '127.0.0.1', 'dfee1355d4359a5d', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0278-7d5e-ba3b-358911d37fda', 1795780444792373, 'user', '2bdfa804-c2c2-42bc-a5c8-b199dff4bf26', 'bob', NULL, NULL, 'session.started', 'session', '087fe6e1-55af-4f14-a9b2-9a3c7fceb225', NULL, '127.0.0.1', 'bac2eba48091d729', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-027d-7855-b251-7bf3cfac6fde', 1795780444797054, 'anonymous', NULL, NULL, NULL, NULL, 'device.requested', 'device_grant', 'c1a48526-9266-85d0-9ed1-892582111bee', 'laptop', '127.0.0.1', 'b0fc946aaba28373', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0282-7af9-a539-9b9efaf9374e', 1795780444802666, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'device.approved', 'device_grant', 'c1a48526-9266-85d0-9ed1-892582111bee', 'laptop', '127.0.0.1', 'f46459c31868356f', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', 'trusted');
INSERT INTO public.audit_events VALUES ('01a21cdb-0287-76f5-a11e-9306fb855cab', 1795780444807574, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', NULL, NULL, 'device.connected', 'device', 'c1a48526-9266-85d0-9ed1-892582111bee', 'laptop', '127.0.0.1', 'af1c5a8c445ba3c4', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', 'trusted');
INSERT INTO public.audit_events VALUES ('01a21cdb-028b-7a0e-a806-1b821fa0a213', 1795780444811447, 'anonymous', NULL, NULL, NULL, NULL, 'device.requested', 'device_grant', 'fe13788e-05c8-890d-b358-d6003bf3b044', 'laptop', '127.0.0.1', 'feff93752e79dce4', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-028e-7463-897f-aadb59b6ce10', 1795780444814448, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'device.approved', 'device_grant', 'fe13788e-05c8-890d-b358-d6003bf3b044', 'laptop', '127.0.0.1', '79fde666effbb371', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', 'trusted');
INSERT INTO public.audit_events VALUES ('01a21cdb-0292-7de3-834b-09365d5e528c', 1795780444818008, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', NULL, NULL, 'device.connected', 'device', 'fe13788e-05c8-890d-b358-d6003bf3b044', 'laptop', '127.0.0.1', '079d6469c84a2415', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', 'trusted');
INSERT INTO public.audit_events VALUES ('01a21cdb-0295-7ac2-903d-80e2a74f6e3f', 1795780444821138, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'device.locked', 'device', 'fe13788e-05c8-890d-b358-d6003bf3b044', 'laptop', '127.0.0.1', '59020bc276d832d6', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-0299-72b5-a430-355b11760919', 1795780444825968, 'anonymous', NULL, NULL, NULL, NULL, 'device.requested', 'device_grant', '3a826c3c-4a52-8fd4-a219-ce70c2996c9c', 'laptop', '127.0.0.1', '69fe9b3ddf74b548', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-029b-7ca1-a0c1-a5e2492daeff', 1795780444827970, 'anonymous', NULL, NULL, NULL, NULL, 'device.requested', 'device_grant', '3a826c47-de2f-89d4-a5a9-095603005364', 'laptop', '127.0.0.1', 'a19d715edf1b9dab', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-029f-7fb9-864d-c3c0a4103830', 1795780444831151, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'device.approved', 'device_grant', '3a826c47-de2f-89d4-a5a9-095603005364', 'laptop', '127.0.0.1', 'dbf72a704697eb56', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', 'trusted');
INSERT INTO public.audit_events VALUES ('01a21cdb-02a2-75d6-917c-235fcc85af35', 1795780444834210, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'service_account.created', 'service_account', '9a3d6bc0-6165-47e2-87a4-a7a0c01a55f4', 'ci', '127.0.0.1', '2e95e35eb269d4f7', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-02a5-7d8f-bb44-32524989df7e', 1795780444837077, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'api_key.created', 'api_key', 'ec30141a-082c-493c-9500-a93294604642', 'ci/key', '127.0.0.1', '54daf2a2c6d46049', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-02a8-7d00-9633-9c23c3639811', 1795780444840622, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'api_key.rotated', 'api_key', 'ec30141a-082c-493c-9500-a93294604642', 'ci/key', '127.0.0.1', 'a1b4ffdb9b291350', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', 'the old value ended at once');
INSERT INTO public.audit_events VALUES ('01a21cdb-02b0-703a-a39d-84cb07bcf00e', 1795780444848190, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'api_key.created', 'api_key', 'daedbe46-c168-43c6-b95c-06841d02733f', 'ci/off', '127.0.0.1', '188993e3a6453e6d', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-02b3-743f-aea1-049e004b0978', 1795780444851179, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'api_key.deactivated', 'api_key', 'daedbe46-c168-43c6-b95c-06841d02733f', 'ci/off', '127.0.0.1', '399c1514ed392c4a', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-02b5-72dd-b3bd-680eb63aa241', 1795780444853503, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'service_account.created', 'service_account', 'feb65f20-06fb-4acb-be41-76dcbb33f264', 'sleeping', '127.0.0.1', '9c247ae5ec8731e9', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-02b7-727d-b24f-b51c4a783d1d', 1795780444855734, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'api_key.created', 'api_key', 'a4a36bd6-20ca-4f6e-b197-7a2b47ad95a7', 'sleeping/key', '127.0.0.1', '2fa25b7c358d53db', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.audit_events VALUES ('01a21cdb-02ba-743a-a6f3-0b76fe9d7ba2', 1795780444858167, 'user', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', 'session', 'aa28c970-279d-4e48-ac19-26e76f005ed5', 'service_account.deactivated', 'service_account', 'feb65f20-06fb-4acb-be41-76dcbb33f264', 'sleeping', '127.0.0.1', 'a80a4d5038234119', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux', NULL);
INSERT INTO public.device_grants VALUES ('c1a48526-9266-85d0-9ed1-892582111bee', '11111111-2222-4333-8444-000000000001', '\xc106ab674bc708b0a70ad7bcf1f3056fb6e697d9c2566eb8809c6378465c3db7', '\x3e3761b3a08e3cbd4cb654140fd05a9ad156db28e5c047ea44a207a8efa7f11f', 'laptop', 'Linux', '127.0.0.1', '3.11.7', '0.98.0', 1000000, NULL, 0, 'exchanged', 1795780444807574, '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', NULL, NULL, NULL, 'c1a48526-9266-85d0-9ed1-892582111bee', 1795780444797054, 1795780444807574, 2111140444797054, 3);
INSERT INTO public.device_grants VALUES ('fe13788e-05c8-890d-b358-d6003bf3b044', '11111111-2222-4333-8444-000000000002', '\x95fbffa14ff806320c4f752d56657fce57d041ebd4041b3c08f36dbc4eab16b5', '\x811b443fcdf3b3bf7cb80a0c6b527f658f8586339b9f88afeac3a06caecddba4', 'laptop', 'Linux', '127.0.0.1', '3.11.7', '0.98.0', 1000000, NULL, 0, 'exchanged', 1795780444818008, '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', NULL, NULL, NULL, 'fe13788e-05c8-890d-b358-d6003bf3b044', 1795780444811447, 1795780444818008, 2111140444811447, 3);
INSERT INTO public.device_grants VALUES ('3a826c3c-4a52-8fd4-a219-ce70c2996c9c', '11111111-2222-4333-8444-000000000003', '\x4f2461fb6e207249ca122e2f777aa099373b73e76da95b5e79f35101c93345b6', '\x6158acc3cfcb60fec4799a98dc37d39b53d9c3b23866a79d6ed4e9157cd08a56', 'laptop', 'Linux', '127.0.0.1', '3.11.7', '0.98.0', 1000000, NULL, 0, 'pending', NULL, NULL, NULL, NULL, NULL, NULL, 1795780444825968, 1795780444825968, 2111140444825968, 1);
INSERT INTO public.device_grants VALUES ('3a826c47-de2f-89d4-a5a9-095603005364', '11111111-2222-4333-8444-000000000004', '\xc60e3fbb8251e8cd390dbcb76b4b11ac1bd60b61f84bf016271de52c787eb821', '\xebaef1f1c7a7fc9f9fc34cc23289c362fa13e0d808f48f29feaccde8ca9f71d4', 'laptop', 'Linux', '127.0.0.1', '3.11.7', '0.98.0', 1000000, NULL, 0, 'approved', 1795780444831151, '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 1, true, NULL, NULL, 1795780444827970, 1795780444831151, 2111140444827970, 2);
INSERT INTO public.devices VALUES ('c1a48526-9266-85d0-9ed1-892582111bee', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', '11111111-2222-4333-8444-000000000001', 'active', true, 2111140444807574, 'laptop', 'Linux', '127.0.0.1', '3.11.7', '0.98.0', 1, 1795780444807574, 1795780444807574, 1795780444807574, 1, '127.0.0.1', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux');
INSERT INTO public.devices VALUES ('fe13788e-05c8-890d-b358-d6003bf3b044', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', '11111111-2222-4333-8444-000000000002', 'locked', true, 2111140444818008, 'laptop', 'Linux', '127.0.0.1', '3.11.7', '0.98.0', 1, 1795780444818008, 1795780444818008, 1795780444821138, 2, '127.0.0.1', 'Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux');
INSERT INTO public.guards VALUES ('signing_keys', 1);
INSERT INTO public.guards VALUES ('administrators', 2);
INSERT INTO public.migrations VALUES ('m0001_server', 1795780444);
INSERT INTO public.migrations VALUES ('m0002_users', 1795780444);
INSERT INTO public.migrations VALUES ('m0003_devices', 1795780444);
INSERT INTO public.migrations VALUES ('m0004_service_accounts', 1795780444);
INSERT INTO public.migrations VALUES ('m0005_audit_events', 1795780444);
INSERT INTO public.migrations VALUES ('m0006_revocations', 1795780444);
INSERT INTO public.migrations VALUES ('m0007_uses', 1795780444);
INSERT INTO public.migrations VALUES ('m0008_device_codes', 1795780444);
INSERT INTO public.revocation_epoch VALUES (1, 95178275);
INSERT INTO public.revocations VALUES (7630844, 0, 'start', '00000000-0000-0000-0000-000000000000');
INSERT INTO public.revocations VALUES (29071364, 0, 'user', '1282cb86-8c17-42b3-84f9-5c22854a6bbf');
INSERT INTO public.revocations VALUES (38800046, 0, 'device', 'fe13788e-05c8-890d-b358-d6003bf3b044');
INSERT INTO public.revocations VALUES (63123760, 0, 'api_key', 'ec30141a-082c-493c-9500-a93294604642');
INSERT INTO public.revocations VALUES (77863971, 0, 'api_key', 'daedbe46-c168-43c6-b95c-06841d02733f');
INSERT INTO public.revocations VALUES (95178275, 0, 'service_account', 'feb65f20-06fb-4acb-be41-76dcbb33f264');
INSERT INTO public.server VALUES (1, '9f349c51-74f8-476f-97e1-d9057dc26b17', '\x90a788bd7241786a472188a2a00879f4486e8b92a5bec7c08d27e5d0304a73ae', 'f876a980-06e9-49b7-81ba-d551fad85593', '56b367ad-d70c-48f8-b4af-5584cd061f3b', '1cdf4cf3-7f6e-4745-bb05-cfdad8db9856', '5e005d58-0c5a-4739-8ebd-6d98e40c5f94', 1795780444488125);
INSERT INTO public.service_accounts VALUES ('9a3d6bc0-6165-47e2-87a4-a7a0c01a55f4', 'ci', '', 'from before', NULL, true, 1795780444834210, 1795780444834210, 1);
INSERT INTO public.service_accounts VALUES ('feb65f20-06fb-4acb-be41-76dcbb33f264', 'sleeping', '', 'from before', NULL, false, 1795780444853503, 1795780444858167, 2);
INSERT INTO public.sessions VALUES ('aa28c970-279d-4e48-ac19-26e76f005ed5', '8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', NULL, 1, 1795780444558803, 2111140444558803, 1);
INSERT INTO public.sessions VALUES ('bf496629-3d43-49ba-a99d-39aba7a3da60', '1282cb86-8c17-42b3-84f9-5c22854a6bbf', NULL, 1, 1795780444763942, 2111140444763942, 1);
INSERT INTO public.sessions VALUES ('087fe6e1-55af-4f14-a9b2-9a3c7fceb225', '2bdfa804-c2c2-42bc-a5c8-b199dff4bf26', NULL, 1, 1795780444792373, 2111140444792373, 1);
INSERT INTO public.signing_keys VALUES ('b1b08ffb-41ce-4fc9-a2aa-bef42e7ca78d', '\xb07cf15a8d88a6dd7826fc26588d04cd393a57ec25e557096e093be8f028ab5d', 1795780444488125, NULL, 1);
INSERT INTO public.users VALUES ('8f7c1e63-8bf5-497c-a3aa-c8075e0760c2', 'default', '', NULL, NULL, true, true, '$argon2id$v=19$m=19456,t=2,p=1$5E3jexYQFIagkWi3Xj5brw$epJli1Za0lDdSoup8lXUpxg5hxoAMP/cxapnBPU1xZw', 1795780444488125, NULL, 1, NULL, NULL, NULL, 1795780444488125, 1795780444488125, 1);
INSERT INTO public.users VALUES ('681c78d8-da2f-4037-bb2a-53c62c6444bd', 'invited', '', NULL, NULL, false, false, NULL, NULL, '\xa614eb3223d716c2758f29aea6c460422d6c9716545d7f5620808e124ec80f3a', 1, NULL, NULL, NULL, 1795780444673835, 1795780444673835, 1);
INSERT INTO public.users VALUES ('2bdfa804-c2c2-42bc-a5c8-b199dff4bf26', 'bob', '', NULL, NULL, true, false, '$argon2id$v=19$m=19456,t=2,p=1$HNGLue0VmrRAVuclqLa3Fg$SaM0COoq2LLhm0EL+T0XQLHGETOMoIhi82n8UGv+CQY', 1795780444726085, NULL, 1, NULL, NULL, NULL, 1795780444726085, 1795780444726085, 1);
INSERT INTO public.users VALUES ('1282cb86-8c17-42b3-84f9-5c22854a6bbf', 'carol', '', NULL, NULL, false, true, '$argon2id$v=19$m=19456,t=2,p=1$izO+zzg42EFYcJ3x0PPbEQ$qxiL6m22TDp7qFRbVnHcCYC+4DVbU56iguqcxrgL88w', 1795780444744314, '\x765766df468e192a352826031b13b4b891dc7bf82b1217d0d7a1e0dfc4c4f37f', 2, NULL, NULL, NULL, 1795780444744314, 1795780444770085, 2);
ALTER TABLE ONLY public.api_key_uses
    ADD CONSTRAINT api_key_uses_pkey PRIMARY KEY (api_key_id, generation, address, agent);
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.audit_events
    ADD CONSTRAINT audit_events_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.device_grants
    ADD CONSTRAINT device_grants_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.guards
    ADD CONSTRAINT guards_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.revocation_epoch
    ADD CONSTRAINT revocation_epoch_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.revocations
    ADD CONSTRAINT revocations_pkey PRIMARY KEY (epoch, "position");
ALTER TABLE ONLY public.server
    ADD CONSTRAINT server_pkey PRIMARY KEY (singleton);
ALTER TABLE ONLY public.service_accounts
    ADD CONSTRAINT service_accounts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.signing_keys
    ADD CONSTRAINT signing_keys_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX api_keys_active ON public.api_keys USING btree (service_account_id, active, created, id);
CREATE INDEX api_keys_created ON public.api_keys USING btree (service_account_id, created, id);
CREATE UNIQUE INDEX api_keys_name ON public.api_keys USING btree (service_account_id, name);
CREATE INDEX audit_events_actor ON public.audit_events USING btree (actor_id, created, id);
CREATE INDEX audit_events_created ON public.audit_events USING btree (created, id);
CREATE INDEX audit_events_target ON public.audit_events USING btree (target_id, created, id);
CREATE INDEX device_grants_approved_by ON public.device_grants USING btree (approved_by);
CREATE INDEX device_grants_client ON public.device_grants USING btree (client_id);
CREATE INDEX device_grants_expires ON public.device_grants USING btree (expires);
CREATE UNIQUE INDEX device_grants_user_code ON public.device_grants USING btree (user_code);
CREATE UNIQUE INDEX devices_client ON public.devices USING btree (client_id, user_id);
CREATE INDEX devices_created ON public.devices USING btree (user_id, created, id);
CREATE INDEX devices_state ON public.devices USING btree (user_id, state, created, id);
CREATE INDEX service_accounts_active ON public.service_accounts USING btree (active, created, id);
CREATE INDEX service_accounts_created ON public.service_accounts USING btree (created, id);
CREATE UNIQUE INDEX service_accounts_name ON public.service_accounts USING btree (name);
CREATE UNIQUE INDEX sessions_cookie ON public.sessions USING btree (cookie);
CREATE INDEX sessions_expires ON public.sessions USING btree (expires);
CREATE INDEX sessions_user ON public.sessions USING btree (user_id);
CREATE INDEX users_administrators ON public.users USING btree (is_admin, active);
CREATE INDEX users_created ON public.users USING btree (created, id);
CREATE UNIQUE INDEX users_name ON public.users USING btree (name);
ALTER TABLE ONLY public.api_key_uses
    ADD CONSTRAINT api_key_uses_api_key_id_fk FOREIGN KEY (api_key_id) REFERENCES public.api_keys(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.api_keys
    ADD CONSTRAINT api_keys_service_account_id_fk FOREIGN KEY (service_account_id) REFERENCES public.service_accounts(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.device_grants
    ADD CONSTRAINT device_grants_approved_by_fk FOREIGN KEY (approved_by) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.devices
    ADD CONSTRAINT devices_user_id_fk FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
ALTER TABLE ONLY public.sessions
    ADD CONSTRAINT sessions_user_id_fk FOREIGN KEY (user_id) REFERENCES public.users(id) ON DELETE CASCADE;
