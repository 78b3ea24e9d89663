package nvme

// LogPageID identifies a log page.
type LogPageID uint8

// Log pages: NVMe Base 2.0, 5.16.1.
const (
	LogSupportedPages      LogPageID = 0x00
	LogErrors              LogPageID = 0x01
	LogSMART               LogPageID = 0x02
	LogFirmwareSlots       LogPageID = 0x03
	LogChangedNamespaces   LogPageID = 0x04
	LogCommandEffects      LogPageID = 0x05
	LogSelfTest            LogPageID = 0x06
	LogTelemetryHost       LogPageID = 0x07
	LogTelemetryController LogPageID = 0x08
	LogEnduranceGroup      LogPageID = 0x09
	LogPredictableLatency  LogPageID = 0x0a
	LogPredictableEvents   LogPageID = 0x0b
	LogANA                 LogPageID = 0x0c
	LogPersistentEvents    LogPageID = 0x0d
	LogLBAStatus           LogPageID = 0x0e
	LogEnduranceEvents     LogPageID = 0x0f
	LogMediaUnits          LogPageID = 0x10
	LogCapacityConfig      LogPageID = 0x11
	LogFeatureEffects      LogPageID = 0x12
	LogMIEffects           LogPageID = 0x13
	LogLockdown            LogPageID = 0x14
	LogBootPartition       LogPageID = 0x15
	LogRotationalMedia     LogPageID = 0x16
	LogDiscovery           LogPageID = 0x70
	LogReservations        LogPageID = 0x80
	LogSanitize            LogPageID = 0x81
)
