package nvme

import (
	"context"
	"fmt"
)

// MediaUnitLog is the Media Unit Status log (10h) of a domain: NVMe Base 2.0,
// 5.16.1.16. libnvme 1.3 takes the descriptors, which vary in length, for 14 bytes.
type MediaUnitLog struct {
	Channels      uint16      `json:"cchans"`
	Configuration uint16      `json:"sel_config"` // the capacity configuration that is selected; 0 is none
	Units         []MediaUnit `json:"mus_list"`
}

// MediaUnit is a Media Unit Status Descriptor.
type MediaUnit struct {
	ID                 uint16   `json:"muid"`
	DomainID           uint16   `json:"domainid"`
	EnduranceGroupID   uint16   `json:"endgid"`       // 0 is none
	NVMSetID           uint16   `json:"nvmsetid"`     // 0 is none
	CapacityAdjustment uint16   `json:"cap_adj_fctr"` // percent of the capacity that it would have by default
	AvailableSpare     uint8    `json:"avl_spare"`    // percent
	PercentageUsed     uint8    `json:"percent_used"` // 255 is 255 or more
	Channels           []uint16 `json:"channels"`     // identifiers; empty if none are reported
}

// MediaUnits returns the media units of a domain; 0 is the only one of a drive that
// does not have several.
func (c *Controller) MediaUnits(ctx context.Context, domain uint16) (*MediaUnitLog, error) {
	return logUntil(ctx, c, LogPageRequest{ID: LogMediaUnits, SpecificID: domain}, "MediaUnitLog", (*listDecoder).mediaUnits)
}

// DecodeMediaUnitLog decodes a log page.
func DecodeMediaUnitLog(b []byte) (*MediaUnitLog, error) {
	return decodeList(&listDecoder{structure: "MediaUnitLog", rest: b}, (*listDecoder).mediaUnits)
}

func (d *listDecoder) mediaUnits() *MediaUnitLog {
	head := d.take(16, "the header")
	l := &MediaUnitLog{Channels: head.u16(2), Configuration: head.u16(4)}
	for i := range int(head.u16(0)) {
		unit := d.take(16, fmt.Sprintf("media unit %d", i))
		u := MediaUnit{
			ID: unit.u16(0), DomainID: unit.u16(2), EnduranceGroupID: unit.u16(4), NVMSetID: unit.u16(6),
			CapacityAdjustment: unit.u16(8), AvailableSpare: unit.u8(10), PercentageUsed: unit.u8(11),
		}
		count, offset := int(unit.u8(12)), int(unit.u8(13))
		if d.err == nil && (offset < 16 || offset%16 != 0) {
			d.err = &DecodeError{d.structure, fmt.Sprintf("channels of media unit %d at %d, want a multiple of 16", i, offset)}
		}
		d.take(offset-16, "the reserved part of a media unit")
		u.Channels = d.ids(count, fmt.Sprintf("the channels of media unit %d", i))
		if d.err != nil {
			return nil
		}
		l.Units = append(l.Units, u)
	}
	return l
}

// CapacityConfigurations is the Supported Capacity Configuration List log (11h) of a
// domain: NVMe Base 2.0, 5.16.1.17.
type CapacityConfigurations []CapacityConfiguration

// CapacityConfiguration is a Capacity Configuration Descriptor: a way to divide a
// domain up that Capacity Management can select.
type CapacityConfiguration struct {
	ID       uint16                        `json:"cap_config_id"`
	DomainID uint16                        `json:"domainid"`
	Groups   []EnduranceGroupConfiguration `json:"egcd"`
}

// EnduranceGroupConfiguration is an Endurance Group Configuration Descriptor.
type EnduranceGroupConfiguration struct {
	ID                 uint16                 `json:"endgid"`
	CapacityAdjustment uint16                 `json:"cap_adj_factor"` // percent of the capacity that it would have by default
	TotalCapacity      Uint128                `json:"tegcap"`         // bytes
	SpareCapacity      Uint128                `json:"segcap"`         // bytes
	EnduranceEstimate  Uint128                `json:"end_est"`        // units of 1e9 bytes
	NVMSets            []uint16               `json:"nvmsetids"`
	Channels           []ChannelConfiguration `json:"channels"`
}

// ChannelConfiguration is a Channel Configuration Descriptor.
type ChannelConfiguration struct {
	ID    uint16                   `json:"chanid"`
	Units []MediaUnitConfiguration `json:"media_units"`
}

// MediaUnitConfiguration is a Media Unit Configuration Descriptor.
type MediaUnitConfiguration struct {
	ID               uint16 `json:"muid"`
	DescriptorLength uint16 `json:"mudl"` // MUDL
}

// CapacityConfigurations returns how a domain can be divided up.
func (c *Controller) CapacityConfigurations(ctx context.Context, domain uint16) (CapacityConfigurations, error) {
	r := LogPageRequest{ID: LogCapacityConfig, SpecificID: domain}
	return deref(logUntil(ctx, c, r, "CapacityConfigurations", (*listDecoder).configurations))
}

// DecodeCapacityConfigurations decodes a log page.
func DecodeCapacityConfigurations(b []byte) (*CapacityConfigurations, error) {
	return decodeList(&listDecoder{structure: "CapacityConfigurations", rest: b}, (*listDecoder).configurations)
}

func (d *listDecoder) configurations() *CapacityConfigurations {
	var list CapacityConfigurations
	for i := range int(d.take(16, "the header").u8(0)) {
		head := d.take(32, fmt.Sprintf("configuration %d", i))
		configuration := CapacityConfiguration{ID: head.u16(0), DomainID: head.u16(2)}
		for range int(head.u16(4)) {
			configuration.Groups = append(configuration.Groups, d.group())
			if d.err != nil {
				return nil
			}
		}
		list = append(list, configuration)
	}
	return &list
}

func (d *listDecoder) group() EnduranceGroupConfiguration {
	head := d.take(80, "an endurance group")
	g := EnduranceGroupConfiguration{
		ID: head.u16(0), CapacityAdjustment: head.u16(2),
		TotalCapacity: head.u128(16), SpareCapacity: head.u128(32), EnduranceEstimate: head.u128(48),
	}
	g.NVMSets = d.ids(int(d.take(2, "the number of NVM sets").u16(0)), "the NVM sets of an endurance group")
	for range int(d.take(2, "the number of channels").u16(0)) {
		head := d.take(4, "a channel")
		channel := ChannelConfiguration{ID: head.u16(0)}
		for range int(head.u16(2)) {
			unit := d.take(8, "a media unit")
			if d.err != nil {
				return g
			}
			channel.Units = append(channel.Units, MediaUnitConfiguration{ID: unit.u16(0), DescriptorLength: unit.u16(6)})
		}
		if d.err != nil {
			return g
		}
		g.Channels = append(g.Channels, channel)
	}
	return g
}
