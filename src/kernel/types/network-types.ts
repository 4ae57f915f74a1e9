/** Kernel types of packets, sockets and devices, as C declarations. */

export const NETWORK_TYPES = `
struct in6_addr { union { __u8 u6_addr8[16]; __be16 u6_addr16[8]; __be32 u6_addr32[4]; } in6_u; };
typedef __u16 __sum16;
struct in_addr { __be32 s_addr; };
typedef unsigned short sa_family_t;
struct sockaddr { sa_family_t sa_family; char sa_data[14]; };
struct sockaddr_in { sa_family_t sin_family; __be16 sin_port; struct in_addr sin_addr; unsigned char __pad[8]; };
struct sockaddr_in6 { unsigned short sin6_family; __be16 sin6_port; __be32 sin6_flowinfo; struct in6_addr sin6_addr; __u32 sin6_scope_id; };
struct iovec { void *iov_base; __kernel_size_t iov_len; };
struct msghdr { void *msg_name; int msg_namelen; int msg_inq; unsigned int msg_flags; };
typedef struct { struct net *net; } possible_net_t;
typedef unsigned int netdev_features_t;
struct net_device { char name[16]; int ifindex; unsigned int flags; unsigned int mtu; unsigned short type; unsigned short hard_header_len; unsigned char addr_len; const unsigned char *dev_addr; unsigned int num_rx_queues; unsigned int num_tx_queues; possible_net_t nd_net; };
struct sock_common {
  union { u64 skc_addrpair; struct { __be32 skc_daddr; __be32 skc_rcv_saddr; }; };
  union { unsigned int skc_hash; __u16 skc_u16hashes[2]; };
  union { u32 skc_portpair; struct { __be16 skc_dport; __u16 skc_num; }; };
  unsigned short skc_family;
  volatile unsigned char skc_state;
  unsigned char skc_reuse:4;
  unsigned char skc_reuseport:1;
  unsigned char skc_ipv6only:1;
  unsigned char skc_net_refcnt:1;
  int skc_bound_dev_if;
  struct proto *skc_prot;
  possible_net_t skc_net;
  struct in6_addr skc_v6_daddr;
  struct in6_addr skc_v6_rcv_saddr;
  atomic64_t skc_cookie;
};
struct proto { char name[32]; int sysctl_mem; };
struct socket { int state; short type; unsigned long flags; struct file *file; struct sock *sk; };
struct sock {
  struct sock_common __sk_common;
  int sk_rcvbuf; int sk_wmem_queued; int sk_sndbuf; u32 sk_mark; u32 sk_priority;
  u16 sk_type; u16 sk_protocol; u16 sk_gso_max_segs; u8 sk_shutdown; kuid_t sk_uid; int sk_err;
  unsigned long sk_pacing_rate; unsigned long sk_max_pacing_rate; u32 sk_ack_backlog; u32 sk_max_ack_backlog;
  struct socket *sk_socket;
};
struct inet_sock { struct sock sk; __be32 inet_saddr; __s16 uc_ttl; __be16 inet_sport; unsigned int mc_index; };
struct inet_connection_sock { struct inet_sock icsk_inet; unsigned long icsk_timeout; u32 icsk_rto; u8 icsk_retransmits; u8 icsk_pending; u8 icsk_backoff; };
struct tcp_sock { struct inet_connection_sock inet_conn; u32 rcv_nxt; u32 snd_nxt; u32 snd_una; u32 srtt_us; u32 mdev_us; u32 snd_cwnd; u32 snd_ssthresh; u32 total_retrans; u64 bytes_acked; u64 bytes_received; u64 bytes_sent; u32 segs_in; u32 segs_out; u32 data_segs_in; u32 data_segs_out; u32 delivered; u32 lost_out; u32 retrans_out; u32 packets_out; u32 rcv_wnd; u32 snd_wnd; u16 advmss; };
struct udp_sock { struct inet_sock inet; int pending; };
struct request_sock { struct sock_common __req_common; struct sock *sk; };
struct skb_shared_info { __u8 flags; __u8 meta_len; __u8 nr_frags; __u8 tx_flags; unsigned short gso_size; unsigned short gso_segs; unsigned int gso_type; };
typedef unsigned int sk_buff_data_t;
struct sk_buff {
  union { struct { struct sk_buff *next; struct sk_buff *prev; union { struct net_device *dev; unsigned long dev_scratch; }; }; };
  struct sock *sk;
  union { ktime_t tstamp; u64 skb_mstamp_ns; };
  char cb[48];
  unsigned int len; unsigned int data_len;
  __u16 mac_len; __u16 hdr_len; __u16 queue_mapping;
  __u8 pkt_type:3;
  __u8 ignore_df:1;
  __u8 cloned:1;
  __u8 ip_summed:2;
  __u32 priority; int skb_iif; __u32 hash; union { __u32 vlan_all; struct { __be16 vlan_proto; __u16 vlan_tci; }; };
  union { __u32 mark; __u32 reserved_tailroom; };
  __be16 protocol; __u16 transport_header; __u16 network_header; __u16 mac_header;
  sk_buff_data_t tail; sk_buff_data_t end;
  unsigned char *head; unsigned char *data;
  unsigned int truesize; refcount_t users;
};
struct xdp_rxq_info { struct net_device *dev; u32 queue_index; u32 reg_state; };
struct xdp_buff { void *data; void *data_end; void *data_meta; void *data_hard_start; struct xdp_rxq_info *rxq; u32 frame_sz; u32 flags; };
struct __sk_buff { __u32 len; __u32 pkt_type; __u32 mark; __u32 queue_mapping; __u32 protocol; __u32 vlan_present; __u32 vlan_tci; __u32 vlan_proto; __u32 priority; __u32 ingress_ifindex; __u32 ifindex; __u32 tc_index; __u32 cb[5]; __u32 hash; __u32 tc_classid; __u32 data; __u32 data_end; __u32 napi_id; __u32 family; __u32 remote_ip4; __u32 local_ip4; __u32 remote_ip6[4]; __u32 local_ip6[4]; __u32 remote_port; __u32 local_port; __u32 data_meta; union { void *flow_keys; __u64 :64; }; __u64 tstamp; __u32 wire_len; __u32 gso_segs; union { void *sk; __u64 :64; }; __u32 gso_size; __u8 tstamp_type; __u32 :24; __u64 hwtstamp; };
struct xdp_md { __u32 data; __u32 data_end; __u32 data_meta; __u32 ingress_ifindex; __u32 rx_queue_index; __u32 egress_ifindex; };
struct ethhdr { unsigned char h_dest[6]; unsigned char h_source[6]; __be16 h_proto; } __attribute__((packed));
struct iphdr { __u8 ihl:4; __u8 version:4; __u8 tos; __be16 tot_len; __be16 id; __be16 frag_off; __u8 ttl; __u8 protocol; __sum16 check; union { struct { __be32 saddr; __be32 daddr; }; struct { __be32 saddr; __be32 daddr; } addrs; }; };
struct ipv6hdr { __u8 priority:4; __u8 version:4; __u8 flow_lbl[3]; __be16 payload_len; __u8 nexthdr; __u8 hop_limit; struct in6_addr saddr; struct in6_addr daddr; };
struct tcphdr { __be16 source; __be16 dest; __be32 seq; __be32 ack_seq; __u16 res1:4; __u16 doff:4; __u16 fin:1; __u16 syn:1; __u16 rst:1; __u16 psh:1; __u16 ack:1; __u16 urg:1; __u16 ece:1; __u16 cwr:1; __be16 window; __u16 check; __be16 urg_ptr; };
struct udphdr { __be16 source; __be16 dest; __be16 len; __u16 check; };
`
