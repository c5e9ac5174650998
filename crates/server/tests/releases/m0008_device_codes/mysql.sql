/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;
DROP TABLE IF EXISTS `api_key_uses`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `api_key_uses` (
  `api_key_id` binary(16) NOT NULL,
  `generation` bigint(20) NOT NULL,
  `address` varchar(255) NOT NULL,
  `agent` varchar(255) NOT NULL,
  `at` bigint(20) NOT NULL,
  PRIMARY KEY (`api_key_id`,`generation`,`address`,`agent`),
  CONSTRAINT `api_key_uses_api_key_id_fk` FOREIGN KEY (`api_key_id`) REFERENCES `api_keys` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `api_key_uses` VALUES
(0xED99F126C76A42CCBC9D15C21448D69E,2,'127.0.0.1','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',1795780446020841);
DROP TABLE IF EXISTS `api_keys`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `api_keys` (
  `id` binary(16) NOT NULL,
  `service_account_id` binary(16) NOT NULL,
  `name` varchar(255) NOT NULL,
  `description` text NOT NULL,
  `active` tinyint(1) NOT NULL,
  `generation` bigint(20) NOT NULL,
  `hash` binary(32) NOT NULL,
  `retained_generation` bigint(20) DEFAULT NULL,
  `retained_hash` binary(32) DEFAULT NULL,
  `retained_until` bigint(20) DEFAULT NULL,
  `retain_period_minutes` bigint(20) NOT NULL,
  `expires` bigint(20) DEFAULT NULL,
  `last_login` bigint(20) DEFAULT NULL,
  `last_rotated` bigint(20) DEFAULT NULL,
  `created` bigint(20) NOT NULL,
  `updated` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  `last_address` varchar(255) DEFAULT NULL,
  `last_agent` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `api_keys_name` (`service_account_id`,`name`),
  KEY `api_keys_created` (`service_account_id`,`created`,`id`),
  KEY `api_keys_active` (`service_account_id`,`active`,`created`,`id`),
  CONSTRAINT `api_keys_service_account_id_fk` FOREIGN KEY (`service_account_id`) REFERENCES `service_accounts` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `api_keys` VALUES
(0x7C010FA3A52F4FDCBE978653AB8DFB80,0xBD7B219CAA3145D9B1E1F3A42F5A7790,'off','',0,1,0xEBF7C3D6B178C989FA88FAB0DE4A4D2FDAAF9FC59C801F117219F31B3001FB99,NULL,NULL,NULL,0,NULL,NULL,NULL,1795780446024282,1795780446026996,2,NULL,NULL),
(0x84815F4A5CEB4F3ABA67940146998EC5,0xF811F3D77DEC43F78C7D14D450F199BB,'key','',1,1,0xF43EA2DA0DC7694EFC36B133C8C91D5FF0AA01EE3B0C261C0D9DC26FC4DE5013,NULL,NULL,NULL,0,NULL,NULL,NULL,1795780446032294,1795780446032294,1,NULL,NULL),
(0xED99F126C76A42CCBC9D15C21448D69E,0xBD7B219CAA3145D9B1E1F3A42F5A7790,'key','',1,2,0x1EDE778D9BD6AFED0C421E008796D46493CF25CE807C2BA2C986160A94D05B17,1,0x35BB9547407F99CEACA10F12682B57203E26CD9686BF346E5FE2D0EC77520B5B,1795780446017946,0,NULL,1795780446020841,1795780446017946,1795780446014951,1795780446017946,2,'127.0.0.1','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux');
DROP TABLE IF EXISTS `audit_events`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `audit_events` (
  `id` binary(16) NOT NULL,
  `created` bigint(20) NOT NULL,
  `actor_kind` varchar(255) NOT NULL,
  `actor_id` binary(16) DEFAULT NULL,
  `actor_name` varchar(255) DEFAULT NULL,
  `credential_kind` varchar(255) DEFAULT NULL,
  `credential_id` binary(16) DEFAULT NULL,
  `action` varchar(255) NOT NULL,
  `target_kind` varchar(255) NOT NULL,
  `target_id` binary(16) NOT NULL,
  `target_name` text DEFAULT NULL,
  `address` text DEFAULT NULL,
  `request_id` text DEFAULT NULL,
  `user_agent` text DEFAULT NULL,
  `details` text DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `audit_events_created` (`created`,`id`),
  KEY `audit_events_actor` (`actor_id`,`created`,`id`),
  KEY `audit_events_target` (`target_id`,`created`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `audit_events` VALUES
(0x01A21CDB06987E01AD7F2DE6B44B959D,1795780445848189,'server',NULL,NULL,NULL,NULL,'server.initialized','server',0xFBBEB77B9F9D4FDFB4B3263BFF0BBC21,NULL,NULL,NULL,NULL,NULL),
(0x01A21CDB06987FD9A0D01DBF5D5A4F35,1795780445848189,'server',NULL,NULL,NULL,NULL,'user.created','user',0xFD32C83ACC7848129149C23125302B13,'default',NULL,NULL,NULL,NULL),
(0x01A21CDB06B47FC884E509F70D059126,1795780445876761,'user',0xFD32C83ACC7848129149C23125302B13,'default',NULL,NULL,'session.started','session',0xC8F8B652D7904D27AF8848201491FF50,NULL,'127.0.0.1','220540a91f31e063','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB06BE74E2B686583D8F294FD7,1795780445886734,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'user.created','user',0x90428C99CF7941D18B778F0E55F482BF,'invited','127.0.0.1','c0023f1790304a1c','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB06D076DF814E1311210A2C14,1795780445904305,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'user.created','user',0x13553350D3424558B4E1B0ECB771AFBD,'bob','127.0.0.1','7cd0a50eb1ba7500','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB06E377ECA638D792B4952E78,1795780445923366,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'user.created','user',0x7963602C3DF04AC98FF3850491D69504,'carol','127.0.0.1','28e5862ccc978136','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB06F6745E94F438ADF89D09E8,1795780445942022,'user',0x7963602C3DF04AC98FF3850491D69504,'carol',NULL,NULL,'session.started','session',0x4F1FFCD543264F51A265191883D920D8,NULL,'127.0.0.1','3d126e923f319144','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB06FA79B1BD4A5D0548E76F61,1795780445946396,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'user.deactivated','user',0x7963602C3DF04AC98FF3850491D69504,'carol','127.0.0.1','1a41ebdf35435a71','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB07157BAF8582E369E0C00903,1795780445973585,'user',0x13553350D3424558B4E1B0ECB771AFBD,'bob',NULL,NULL,'session.started','session',0x73B827415FF84DA4A93CF9625241FF11,NULL,'127.0.0.1','d364d50538ec1ff0','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB071C7FA68DA58351D0094187,1795780445980118,'anonymous',NULL,NULL,NULL,NULL,'device.requested','device_grant',0x5F1077B7FAB58CAC9151EF54270A5A2E,'laptop','127.0.0.1','7e60518cadfd9e71','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB0720766FA7EF4AF5D9C76010,1795780445984401,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'device.approved','device_grant',0x5F1077B7FAB58CAC9151EF54270A5A2E,'laptop','127.0.0.1','ab1249af715725b0','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux','trusted'),
(0x01A21CDB0724782B8E54AA4C10CE979C,1795780445988304,'user',0xFD32C83ACC7848129149C23125302B13,'default',NULL,NULL,'device.connected','device',0x5F1077B7FAB58CAC9151EF54270A5A2E,'laptop','127.0.0.1','7de38d42fc2a0bdd','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux','trusted'),
(0x01A21CDB07267EDDBC58C1CA4719255D,1795780445990624,'anonymous',NULL,NULL,NULL,NULL,'device.requested','device_grant',0xFD47F12F28088886A221AA9DBABF0774,'laptop','127.0.0.1','709de6a3f2b26da2','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB072976E6AAA64E48F08E5FC8,1795780445993484,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'device.approved','device_grant',0xFD47F12F28088886A221AA9DBABF0774,'laptop','127.0.0.1','d7523bae95565a66','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux','trusted'),
(0x01A21CDB072C7555A559767C72469E57,1795780445996325,'user',0xFD32C83ACC7848129149C23125302B13,'default',NULL,NULL,'device.connected','device',0xFD47F12F28088886A221AA9DBABF0774,'laptop','127.0.0.1','e92e5bde88103c8b','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux','trusted'),
(0x01A21CDB072F7190BE58198ADC8F4E11,1795780445999702,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'device.locked','device',0xFD47F12F28088886A221AA9DBABF0774,'laptop','127.0.0.1','a4d2ade3735237c6','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB07337D37B0BCD0961E20AEAA,1795780446003373,'anonymous',NULL,NULL,NULL,NULL,'device.requested','device_grant',0x39B6E46856B78853A41FAA796BA25B30,'laptop','127.0.0.1','4322beadb5bd4ee1','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB0735782B85E91643C394706B,1795780446005224,'anonymous',NULL,NULL,NULL,NULL,'device.requested','device_grant',0x39B6E4B29EBE8A8694E57972D955D0DD,'laptop','127.0.0.1','79f454e3533daf61','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB07387B03B8AE6F19086E1172,1795780446008574,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'device.approved','device_grant',0x39B6E4B29EBE8A8694E57972D955D0DD,'laptop','127.0.0.1','90504f98757c30e1','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux','trusted'),
(0x01A21CDB073B7760ADA52E2327893EF8,1795780446011762,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'service_account.created','service_account',0xBD7B219CAA3145D9B1E1F3A42F5A7790,'ci','127.0.0.1','b165502cab2d9c70','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB073E73FEBE950F5A1F60E7EB,1795780446014951,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'api_key.created','api_key',0xED99F126C76A42CCBC9D15C21448D69E,'ci/key','127.0.0.1','b5690c4cb569eb1a','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB074173DF819C459D8E8C6594,1795780446017946,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'api_key.rotated','api_key',0xED99F126C76A42CCBC9D15C21448D69E,'ci/key','127.0.0.1','f86cfeddb42d815b','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux','the old value ended at once'),
(0x01A21CDB074872B9819D9CDDF8B97D9D,1795780446024282,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'api_key.created','api_key',0x7C010FA3A52F4FDCBE978653AB8DFB80,'ci/off','127.0.0.1','47d0df8eace288d9','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB074A712DB34EA94BEAF92615,1795780446026996,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'api_key.deactivated','api_key',0x7C010FA3A52F4FDCBE978653AB8DFB80,'ci/off','127.0.0.1','effd0d086fc3ce09','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB074D7A5EA1EF55CF29E2AA59,1795780446029546,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'service_account.created','service_account',0xF811F3D77DEC43F78C7D14D450F199BB,'sleeping','127.0.0.1','684309677e71ea11','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB075073C88CAE0A6EDF5F2FB6,1795780446032294,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'api_key.created','api_key',0x84815F4A5CEB4F3ABA67940146998EC5,'sleeping/key','127.0.0.1','4c511e75efa88813','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL),
(0x01A21CDB075278429DD2B4C07BAEC2CC,1795780446034373,'user',0xFD32C83ACC7848129149C23125302B13,'default','session',0xC8F8B652D7904D27AF8848201491FF50,'service_account.deactivated','service_account',0xF811F3D77DEC43F78C7D14D450F199BB,'sleeping','127.0.0.1','c15a8715b396a7dc','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux',NULL);
DROP TABLE IF EXISTS `device_grants`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `device_grants` (
  `id` binary(16) NOT NULL,
  `client_id` binary(16) NOT NULL,
  `device_code` binary(32) NOT NULL,
  `user_code` binary(32) NOT NULL,
  `hostname` text DEFAULT NULL,
  `os` text DEFAULT NULL,
  `ip_address` text DEFAULT NULL,
  `python_version` text DEFAULT NULL,
  `zenml_version` text DEFAULT NULL,
  `poll_interval` bigint(20) NOT NULL,
  `last_polled` bigint(20) DEFAULT NULL,
  `failed_attempts` bigint(20) NOT NULL,
  `state` varchar(255) NOT NULL,
  `decided` bigint(20) DEFAULT NULL,
  `approved_by` binary(16) DEFAULT NULL,
  `credentials_gen` bigint(20) DEFAULT NULL,
  `trusted` tinyint(1) DEFAULT NULL,
  `denial_reason` varchar(255) DEFAULT NULL,
  `device_id` binary(16) DEFAULT NULL,
  `created` bigint(20) NOT NULL,
  `updated` bigint(20) NOT NULL,
  `expires` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `device_grants_user_code` (`user_code`),
  KEY `device_grants_client` (`client_id`),
  KEY `device_grants_approved_by` (`approved_by`),
  KEY `device_grants_expires` (`expires`),
  CONSTRAINT `device_grants_approved_by_fk` FOREIGN KEY (`approved_by`) REFERENCES `users` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `device_grants` VALUES
(0x39B6E46856B78853A41FAA796BA25B30,0x11111111222243338444000000000003,0x3190B364DD3FE900424F40121E71967DFA1A8D1428DF09F57BF651C7E09CC7EB,0xA62577EEBEF2E1C4A9B83ACA884692BD85E151A19DF960EFF481C3D96DD5D466,'laptop','Linux','127.0.0.1','3.11.7','0.98.0',1000000,NULL,0,'pending',NULL,NULL,NULL,NULL,NULL,NULL,1795780446003373,1795780446003373,2111140446003373,1),
(0x39B6E4B29EBE8A8694E57972D955D0DD,0x11111111222243338444000000000004,0x06FD7BD157321E0253CD773BF8BF363B1C100841DED496C5A903088A1B1BB666,0x9F46D51BD664E278ACA6874BDC0939C1380F12B158FF2C87025E55549FAB34B1,'laptop','Linux','127.0.0.1','3.11.7','0.98.0',1000000,NULL,0,'approved',1795780446008574,0xFD32C83ACC7848129149C23125302B13,1,1,NULL,NULL,1795780446005224,1795780446008574,2111140446005224,2),
(0x5F1077B7FAB58CAC9151EF54270A5A2E,0x11111111222243338444000000000001,0xC0C7EAC4E1CCF5BD7D1EF41D9590F55C00FFDFE47279FC2DEBC969EC00157C1C,0x7B222485CCF2A4B8FAC42A08F6CD3F793A11B613F1E9990DF917CD088EC0F3DF,'laptop','Linux','127.0.0.1','3.11.7','0.98.0',1000000,NULL,0,'exchanged',1795780445988304,0xFD32C83ACC7848129149C23125302B13,NULL,NULL,NULL,0x5F1077B7FAB58CAC9151EF54270A5A2E,1795780445980118,1795780445988304,2111140445980118,3),
(0xFD47F12F28088886A221AA9DBABF0774,0x11111111222243338444000000000002,0x2B6FB1686CB60B06C30F4773769574354EDE7198324BB5FF1559E9A6327D31AB,0xBC4B4900ED7DB773C4FA9FBEAB7041F97988BADEC14503465FA91D96C45B9AF4,'laptop','Linux','127.0.0.1','3.11.7','0.98.0',1000000,NULL,0,'exchanged',1795780445996325,0xFD32C83ACC7848129149C23125302B13,NULL,NULL,NULL,0xFD47F12F28088886A221AA9DBABF0774,1795780445990624,1795780445996325,2111140445990624,3);
DROP TABLE IF EXISTS `devices`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `devices` (
  `id` binary(16) NOT NULL,
  `user_id` binary(16) NOT NULL,
  `client_id` binary(16) NOT NULL,
  `state` varchar(255) NOT NULL,
  `trusted` tinyint(1) NOT NULL,
  `expires` bigint(20) NOT NULL,
  `hostname` text DEFAULT NULL,
  `os` text DEFAULT NULL,
  `ip_address` text DEFAULT NULL,
  `python_version` text DEFAULT NULL,
  `zenml_version` text DEFAULT NULL,
  `token_gen` bigint(20) NOT NULL,
  `last_login` bigint(20) DEFAULT NULL,
  `created` bigint(20) NOT NULL,
  `updated` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  `last_address` varchar(255) DEFAULT NULL,
  `last_agent` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `devices_client` (`client_id`,`user_id`),
  KEY `devices_created` (`user_id`,`created`,`id`),
  KEY `devices_state` (`user_id`,`state`,`created`,`id`),
  CONSTRAINT `devices_user_id_fk` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `devices` VALUES
(0x5F1077B7FAB58CAC9151EF54270A5A2E,0xFD32C83ACC7848129149C23125302B13,0x11111111222243338444000000000001,'active',1,2111140445988304,'laptop','Linux','127.0.0.1','3.11.7','0.98.0',1,1795780445988304,1795780445988304,1795780445988304,1,'127.0.0.1','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux'),
(0xFD47F12F28088886A221AA9DBABF0774,0xFD32C83ACC7848129149C23125302B13,0x11111111222243338444000000000002,'locked',1,2111140445996325,'laptop','Linux','127.0.0.1','3.11.7','0.98.0',1,1795780445996325,1795780445996325,1795780445999702,2,'127.0.0.1','Host/laptop ZenML/0.98.0 Python/3.11.7 OS/Linux');
DROP TABLE IF EXISTS `guards`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `guards` (
  `name` varchar(255) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `guards` VALUES
('administrators',2),
('signing_keys',1);
DROP TABLE IF EXISTS `migrations`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `migrations` (
  `version` varchar(255) NOT NULL,
  `applied_at` bigint(20) NOT NULL,
  PRIMARY KEY (`version`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `migrations` VALUES
('m0001_server',1795780445),
('m0002_users',1795780445),
('m0003_devices',1795780445),
('m0004_service_accounts',1795780445),
('m0005_audit_events',1795780445),
('m0006_revocations',1795780445),
('m0007_uses',1795780445),
('m0008_device_codes',1795780445);
DROP TABLE IF EXISTS `revocation_epoch`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `revocation_epoch` (
  `singleton` int(11) NOT NULL,
  `epoch` bigint(20) NOT NULL,
  PRIMARY KEY (`singleton`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `revocation_epoch` VALUES
(1,97114939);
DROP TABLE IF EXISTS `revocations`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `revocations` (
  `epoch` bigint(20) NOT NULL,
  `position` bigint(20) NOT NULL,
  `kind` varchar(255) NOT NULL,
  `identity` binary(16) NOT NULL,
  PRIMARY KEY (`epoch`,`position`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `revocations` VALUES
(14128977,0,'start',0x00000000000000000000000000000000),
(23962696,0,'user',0x7963602C3DF04AC98FF3850491D69504),
(47457089,0,'device',0xFD47F12F28088886A221AA9DBABF0774),
(52217600,0,'api_key',0xED99F126C76A42CCBC9D15C21448D69E),
(68385085,0,'api_key',0x7C010FA3A52F4FDCBE978653AB8DFB80),
(97114939,0,'service_account',0xF811F3D77DEC43F78C7D14D450F199BB);
DROP TABLE IF EXISTS `server`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `server` (
  `singleton` int(11) NOT NULL,
  `id` binary(16) NOT NULL,
  `secret` binary(32) NOT NULL,
  `project_id` binary(16) NOT NULL,
  `stack_id` binary(16) NOT NULL,
  `orchestrator_id` binary(16) NOT NULL,
  `artifact_store_id` binary(16) NOT NULL,
  `created` bigint(20) NOT NULL,
  PRIMARY KEY (`singleton`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `server` VALUES
(1,0xFBBEB77B9F9D4FDFB4B3263BFF0BBC21,0xC6F9F6EA861A2E353FBDBDC797BDDDDCF9C95864FE8462F965C9CC33BB3AF820,0xDEA13E5A8E814DA9BD1F7EA7AF4DE4D3,0x9FD6CE9A6B9748D1B87A5C07611B8611,0xEF1265E17F494265AA0BE548F4D55DB2,0x0850EF7A20A04A3495AC6D5617D96E68,1795780445848189);
DROP TABLE IF EXISTS `service_accounts`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `service_accounts` (
  `id` binary(16) NOT NULL,
  `name` varchar(255) NOT NULL,
  `full_name` text NOT NULL,
  `description` text NOT NULL,
  `avatar_url` text DEFAULT NULL,
  `active` tinyint(1) NOT NULL,
  `created` bigint(20) NOT NULL,
  `updated` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `service_accounts_name` (`name`),
  KEY `service_accounts_created` (`created`,`id`),
  KEY `service_accounts_active` (`active`,`created`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `service_accounts` VALUES
(0xBD7B219CAA3145D9B1E1F3A42F5A7790,'ci','','from before',NULL,1,1795780446011762,1795780446011762,1),
(0xF811F3D77DEC43F78C7D14D450F199BB,'sleeping','','from before',NULL,0,1795780446029546,1795780446034373,2);
DROP TABLE IF EXISTS `sessions`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `sessions` (
  `id` binary(16) NOT NULL,
  `user_id` binary(16) NOT NULL,
  `cookie` binary(32) DEFAULT NULL,
  `credentials_gen` bigint(20) NOT NULL,
  `created` bigint(20) NOT NULL,
  `expires` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `sessions_cookie` (`cookie`),
  KEY `sessions_user` (`user_id`),
  KEY `sessions_expires` (`expires`),
  CONSTRAINT `sessions_user_id_fk` FOREIGN KEY (`user_id`) REFERENCES `users` (`id`) ON DELETE CASCADE
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `sessions` VALUES
(0x4F1FFCD543264F51A265191883D920D8,0x7963602C3DF04AC98FF3850491D69504,NULL,1,1795780445942022,2111140445942022,1),
(0x73B827415FF84DA4A93CF9625241FF11,0x13553350D3424558B4E1B0ECB771AFBD,NULL,1,1795780445973585,2111140445973585,1),
(0xC8F8B652D7904D27AF8848201491FF50,0xFD32C83ACC7848129149C23125302B13,NULL,1,1795780445876761,2111140445876761,1);
DROP TABLE IF EXISTS `signing_keys`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `signing_keys` (
  `id` binary(16) NOT NULL,
  `seed` binary(32) NOT NULL,
  `created` bigint(20) NOT NULL,
  `retired_until` bigint(20) DEFAULT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `signing_keys` VALUES
(0x992CECBFAC5D4926A54B91BD502E4EED,0xF37C186B2168FDB2196F0E32F9E3AED8C980B8E338396414B0B54CEE9BB21326,1795780445848189,NULL,1);
DROP TABLE IF EXISTS `users`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
/*!40101 SET character_set_client = utf8mb4 */;
CREATE TABLE `users` (
  `id` binary(16) NOT NULL,
  `name` varchar(255) NOT NULL,
  `full_name` text NOT NULL,
  `email` text DEFAULT NULL,
  `email_opted_in` tinyint(1) DEFAULT NULL,
  `active` tinyint(1) NOT NULL,
  `is_admin` tinyint(1) NOT NULL,
  `password` text DEFAULT NULL,
  `password_changed` bigint(20) DEFAULT NULL,
  `activation` binary(32) DEFAULT NULL,
  `credentials_gen` bigint(20) NOT NULL,
  `metadata` mediumtext DEFAULT NULL,
  `default_project_id` binary(16) DEFAULT NULL,
  `avatar_url` text DEFAULT NULL,
  `created` bigint(20) NOT NULL,
  `updated` bigint(20) NOT NULL,
  `version` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `users_name` (`name`),
  KEY `users_created` (`created`,`id`),
  KEY `users_administrators` (`is_admin`,`active`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin;
/*!40101 SET character_set_client = @saved_cs_client */;
INSERT INTO `users` VALUES
(0x13553350D3424558B4E1B0ECB771AFBD,'bob','',NULL,NULL,1,0,'$argon2id$v=19$m=19456,t=2,p=1$GLDTfS7VyOPIuGLHhKFHzA$IsICnlI1A/ShelArdKXA/rY28PdKuurtyWvopvsc7RU',1795780445904305,NULL,1,NULL,NULL,NULL,1795780445904305,1795780445904305,1),
(0x7963602C3DF04AC98FF3850491D69504,'carol','',NULL,NULL,0,1,'$argon2id$v=19$m=19456,t=2,p=1$YDrG0UtZ8GCEFwjlVsax7Q$6LDMossDEjwi3Sug5yhNrO/DaSQt2OEBVc3jAx3I0hg',1795780445923366,0x3D464EAC5C17235838E9A0D41966C8DD1D7CF475851E761D062879C05C66C548,2,NULL,NULL,NULL,1795780445923366,1795780445946396,2),
(0x90428C99CF7941D18B778F0E55F482BF,'invited','',NULL,NULL,0,0,NULL,NULL,0x28F62181E66D87382D40DECF8324D0152FF1F07FDFC571FA0C40AB9596D87D01,1,NULL,NULL,NULL,1795780445886734,1795780445886734,1),
(0xFD32C83ACC7848129149C23125302B13,'default','',NULL,NULL,1,1,'$argon2id$v=19$m=19456,t=2,p=1$70yumQliVKT2rYeLEbqulw$UNhkh0XgyyPdVe66pVORuzGyZdjNZLHgLWZBGGT0aQw',1795780445848189,NULL,1,NULL,NULL,NULL,1795780445848189,1795780445848189,1);
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;
/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;
