package nvme

import (
	"encoding/json"
	"fmt"
	"math"
)

// JSON: identify structures and log pages marshal to the names that nvme-cli 2.3
// gives them with -o json, and to the same numbers, so that the two can be
// compared. What differs:
//
//   - 128-bit counters are numbers, not texts; texts are without their padding.
//   - What nvme-cli puts under the device's name, or into a list of objects with
//     one member, is not wrapped; the descriptors of a namespace are one object.
//   - The effects log has opcodes alone, "ACS_6" and not "ACS_6 (Identify)", and
//     no command_set_identifier, which is of the request and not of the page. So
//     is the nvmset_id of the predictable latency log.
//   - Firmware revisions are texts, not the numbers that nvme-cli 2.3 makes of
//     their bytes.
//   - A power-on event has a list of controllers.
//
// The tests run nvme-cli. There is no way back: JSON leaves out what is empty or not
// valid, and names some fields by their values, so that it does not tell all that was
// in a page. What is to be read again is kept as bytes, which Decode and Encode carry
// both ways, or as a transcript.

// MarshalJSON adds crdt1 to crdt3, and psds up to NPSS.
func (c IdentifyController) MarshalJSON() ([]byte, error) {
	type plain IdentifyController
	return json.Marshal(struct {
		plain
		CRDT1 uint16       `json:"crdt1"`
		CRDT2 uint16       `json:"crdt2"`
		CRDT3 uint16       `json:"crdt3"`
		PSDs  []PowerState `json:"psds"`
	}{
		plain(c), c.CommandRetryDelay[0], c.CommandRetryDelay[1], c.CommandRetryDelay[2],
		c.PowerStates[:min(int(c.PowerStateCount)+1, len(c.PowerStates))],
	})
}

// MarshalJSON takes apart the bytes that hold several fields.
func (p PowerState) MarshalJSON() ([]byte, error) {
	type plain PowerState
	return json.Marshal(struct {
		plain
		IdleScale   uint8 `json:"idle_scale"`
		Workload    uint8 `json:"active_power_work"`
		ActiveScale uint8 `json:"active_scale"`
	}{plain(p), p.IdlePowerScale >> 6, p.Workload(), p.ActivePowerScale >> 6})
}

// MarshalJSON adds lbafs, as many as the namespace offers.
func (n IdentifyNamespace) MarshalJSON() ([]byte, error) {
	type plain IdentifyNamespace
	return json.Marshal(struct {
		plain
		Formats []LBAFormat `json:"lbafs"`
	}{plain(n), n.OfferedFormats()})
}

// MarshalJSON writes the identifiers that there are.
func (d NamespaceDescriptors) MarshalJSON() ([]byte, error) {
	m := map[string]any{}
	if d.EUI64 != (EUI64{}) {
		m["eui64"] = d.EUI64
	}
	if d.NGUID != (NGUID{}) {
		m["nguid"] = d.NGUID
	}
	if d.UUID != (UUID{}) {
		m["uuid"] = d.UUID
	}
	if d.CommandSetReported {
		m["csi"] = d.CommandSet
	}
	return json.Marshal(m)
}

// MarshalJSON takes the two fields of the format apart.
func (f ExtendedFormat) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		STS int   `json:"sts"`
		PIF Guard `json:"pif"`
	}{f.StorageTagSize(), f.Guard()})
}

// MarshalJSON names resources as the specification does: vqfrt, vifrt and so on.
func (p PrimaryController) MarshalJSON() ([]byte, error) {
	m := map[string]any{"cntlid": p.ControllerID, "portid": p.PortID, "crt": p.Types}
	for prefix, r := range map[string]ControllerResource{"vq": p.Queues, "vi": p.Interrupts} {
		m[prefix+"frt"], m[prefix+"rfa"], m[prefix+"rfap"] = r.Total, r.Assigned, r.Allocated
		m[prefix+"prt"], m[prefix+"frsm"], m[prefix+"gran"] = r.Private, r.MaxSecondary, r.PreferGranularity
	}
	return json.Marshal(m)
}

// MarshalJSON adds the sensors that there are, and the thermal totals.
func (l SMARTLog) MarshalJSON() ([]byte, error) {
	type plain SMARTLog
	return json.Marshal(struct {
		plain
		Sensor1      Temperature `json:"temperature_sensor_1,omitempty"`
		Sensor2      Temperature `json:"temperature_sensor_2,omitempty"`
		Sensor3      Temperature `json:"temperature_sensor_3,omitempty"`
		Sensor4      Temperature `json:"temperature_sensor_4,omitempty"`
		Sensor5      Temperature `json:"temperature_sensor_5,omitempty"`
		Sensor6      Temperature `json:"temperature_sensor_6,omitempty"`
		Sensor7      Temperature `json:"temperature_sensor_7,omitempty"`
		Sensor8      Temperature `json:"temperature_sensor_8,omitempty"`
		Transitions1 uint32      `json:"thm_temp1_trans_count"`
		Transitions2 uint32      `json:"thm_temp2_trans_count"`
		Time1        uint32      `json:"thm_temp1_total_time"`
		Time2        uint32      `json:"thm_temp2_total_time"`
	}{
		plain(l), l.Sensors[0], l.Sensors[1], l.Sensors[2], l.Sensors[3], l.Sensors[4], l.Sensors[5], l.Sensors[6], l.Sensors[7],
		l.ThermalTransitions[0], l.ThermalTransitions[1], l.ThermalTime[0], l.ThermalTime[1],
	})
}

// MarshalJSON splits the status field into the status and the phase tag.
func (e ErrorLogEntry) MarshalJSON() ([]byte, error) {
	type plain ErrorLogEntry
	return json.Marshal(struct {
		plain
		Status Status `json:"status_field"`
		Phase  uint16 `json:"phase_tag"`
	}{plain(e), e.Status(), e.StatusField & 1})
}

// MarshalJSON writes the active firmware info, and the revision of each slot
// that is not empty.
func (l FirmwareSlotLog) MarshalJSON() ([]byte, error) {
	m := map[string]any{"Active Firmware Slot (afi)": l.ActiveInfo}
	for i, revision := range l.Revisions {
		if revision != "" {
			m[fmt.Sprintf("Firmware Rev Slot %d", i+1)] = revision
		}
	}
	return json.Marshal(m)
}

// MarshalJSON takes the status field apart.
func (l SanitizeLog) MarshalJSON() ([]byte, error) {
	type plain SanitizeLog
	type sstat struct {
		Erased uint32 `json:"global_erased"`
		Passes int    `json:"no_cmplted_passes"`
		Status string `json:"status"`
	}
	return json.Marshal(struct {
		plain
		Status sstat `json:"sstat"`
	}{plain(l), sstat{bit(l.Erased(), 0), l.Passes(), fmt.Sprintf("(%d) %v", l.State(), l.State())}})
}

// MarshalJSON writes the test in progress, and a report for each entry of the
// log, used or not.
func (l SelfTestLog) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Current    SelfTest           `json:"Current Device Self-Test Operation"`
		Completion uint8              `json:"Current Device Self-Test Completion"`
		Results    [20]SelfTestResult `json:"List of Valid Reports"`
	}{l.Current, l.Completion, l.Results})
}

// MarshalJSON leaves out the fields that are not valid.
func (r SelfTestResult) MarshalJSON() ([]byte, error) {
	m := map[string]any{"Self test result": r.Outcome()}
	if r.Outcome() == SelfTestUnused {
		return json.Marshal(m)
	}
	m["Self test code"] = r.Test()
	m["Segment number"] = r.Segment
	m["Valid Diagnostic Information"] = r.Valid
	m["Power on hours"] = r.PowerOnHours
	m["Vendor Specific"] = uint16(r.Vendor[0]) | uint16(r.Vendor[1])<<8
	if r.Valid&SelfTestNSID != 0 {
		m["Namespace Identifier"] = r.NSID
	}
	if r.Valid&SelfTestLBA != 0 {
		m["Failing LBA"] = r.FailingLBA
	}
	if r.Valid&SelfTestStatusType != 0 {
		m["Status Code Type"] = r.StatusType
	}
	if r.Valid&SelfTestStatusCode != 0 {
		m["Status Code"] = r.StatusCode
	}
	return json.Marshal(m)
}

// MarshalJSON writes the 64 bits of the structure as one number, the
// attributes above the milliseconds.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.Milliseconds | uint64(t.Attributes)<<48)
}

// MarshalJSON writes the header, and the events into list_of_event_entries.
func (l PersistentEventLog) MarshalJSON() ([]byte, error) {
	entries := make([]json.RawMessage, len(l.Events))
	for i, e := range l.Events {
		b, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		entries[i] = fmt.Appendf(nil, `{"event_number":%d,%s`, i, b[1:])
	}
	return json.Marshal(struct {
		PersistentEventHeader
		Events []json.RawMessage `json:"list_of_event_entries"`
	}{l.Header, entries})
}

// MarshalJSON writes the event's header together with its detail. Data that
// have no detail, or do not hold it, are left out.
func (e Event) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(struct {
		Type string `json:"event_type"`
		EventHeader
	}{fmt.Sprintf("%v Event(%#x)", e.Type, uint8(e.Type)), e.EventHeader})
	if err != nil {
		return nil, err
	}
	detail, err := e.Detail()
	if err != nil || detail == nil {
		return head, nil
	}
	b, err := json.Marshal(detail)
	if err != nil || len(b) <= len("{}") {
		return head, err
	}
	return append(append(head[:len(head)-1], ','), b[1:]...), nil
}

// MarshalJSON writes the effects of the commands that are supported, by opcode:
// ACS_6 and so on.
func (l CommandEffectsLog) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]map[string]Effects{
		"admin_cmd_set": supportedEffects("ACS_", l.Admin[:]),
		"io_cmd_set":    supportedEffects("IOCS_", l.IO[:]),
	})
}

func supportedEffects(prefix string, effects []Effects) map[string]Effects {
	m := map[string]Effects{}
	for i, e := range effects {
		if e&EffectSupported != 0 {
			m[fmt.Sprint(prefix, i)] = e
		}
	}
	return m
}

// MarshalJSON writes the features that are supported: fid_1 and so on.
func (l FeatureEffectsLog) MarshalJSON() ([]byte, error) {
	list := []map[string]Effects{}
	for i, e := range l {
		if e&EffectSupported != 0 {
			list = append(list, map[string]Effects{fmt.Sprint("fid_", i): e})
		}
	}
	return json.Marshal(map[string]any{"fid_support": list})
}

// MarshalJSON writes the log pages that are supported: lid_2 and so on.
func (l SupportedLogPages) MarshalJSON() ([]byte, error) {
	list := []map[string]LogPageSupport{}
	for i, s := range l {
		if s.Supported() {
			list = append(list, map[string]LogPageSupport{fmt.Sprint("lid_", i): s})
		}
	}
	return json.Marshal(map[string]any{"supported_logs": list})
}

// MarshalJSON writes the groups into "ANA DESC LIST ".
func (l ANALog) MarshalJSON() ([]byte, error) {
	type namespace struct {
		NSID uint32 `json:"nsid"`
	}
	type group struct {
		ID          uint32      `json:"grpid"`
		Count       int         `json:"nnsids"`
		ChangeCount uint64      `json:"chgcnt"`
		State       string      `json:"state"`
		Namespaces  []namespace `json:"NSIDS"`
	}
	groups := []group{}
	for _, g := range l.Groups {
		namespaces := []namespace{}
		for _, nsid := range g.Namespaces {
			namespaces = append(namespaces, namespace{nsid})
		}
		groups = append(groups, group{g.ID, len(namespaces), g.ChangeCount, g.State.String(), namespaces})
	}
	return json.Marshal(struct {
		ChangeCount uint64  `json:"chgcnt"`
		Count       int     `json:"ngrps"`
		Groups      []group `json:"ANA DESC LIST "` // with the space
	}{l.ChangeCount, len(groups), groups})
}

// MarshalJSON adds the number of namespaces.
func (l LBAStatusLog) MarshalJSON() ([]byte, error) {
	type plain LBAStatusLog
	return json.Marshal(struct {
		plain
		Count int `json:"nlslne"`
	}{plain(l), len(l.Namespaces)})
}

// MarshalJSON adds the number of ranges, which is FFFFFFFFh if all is set.
func (n NamespaceLBAStatus) MarshalJSON() ([]byte, error) {
	type plain NamespaceLBAStatus
	count := uint32(len(n.Ranges))
	if n.All {
		count = math.MaxUint32
	}
	return json.Marshal(struct {
		plain
		Count uint32 `json:"nlrd"`
	}{plain(n), count})
}
